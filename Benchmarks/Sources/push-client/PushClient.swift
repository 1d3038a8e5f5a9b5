// The baseline of HTTP push: reads an MQTT topic with the C programs' client and posts each payload with
// async-http-client, and does nothing else. `push-client MQTT-PORT FILTER URL PARALLELISM` prints "ready" and runs until
// it is ended. One thread reads; the client's event loops post.
import AsyncHTTPClient
import CBaselineClient
import Dispatch
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Posts with a bounded number of requests at once: the thread that reads waits for a free slot, so that the broker's
/// flow control bounds what is open.
private final class Poster {
    private let client: HTTPClient
    private let url: URL
    private let slots: DispatchSemaphore
    private let headers: HTTPHeaders = ["content-type": "application/vnd.eclipse.ditto+json"]

    init(url: URL, parallelism: Int) {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = parallelism
        // One loop: more of them cost more than they bring on the few cores that the brokers share with us.
        client = HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1), configuration: configuration)
        self.url = url
        slots = DispatchSemaphore(value: parallelism)
    }

    func post(_ payload: UnsafeRawBufferPointer) {
        slots.wait()
        do {
            let request = try HTTPClient.Request(
                url: url, method: .POST, headers: headers, body: .byteBuffer(ByteBuffer(bytes: payload)))
            client.execute(request: request).whenComplete { [slots] result in
                slots.signal()
                if case .success(let response) = result, response.status == .noContent { return }
                fail("post", "\(result)")
            }
        } catch {
            fail("post", "\(error)")
        }
    }
}

/// Called inside `client_read` on the thread that reads.
private func take(_ client: UnsafeMutablePointer<client>?, _ message: UnsafePointer<mosquitto_message>?) {
    guard let context = client?.pointee.context, let message = message?.pointee else { return }
    // The poster lives in `main` until the process ends.
    let poster = Unmanaged<Poster>.fromOpaque(context).takeUnretainedValue()
    poster.post(UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen)))
}

@main
enum PushClient {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let port = Int32(arguments[1]), let url = URL(string: arguments[3]),
            let parallelism = Int(arguments[4]), parallelism > 0
        else { fail("usage", "push-client MQTT-PORT FILTER URL PARALLELISM") }
        let poster = Poster(url: url, parallelism: parallelism)
        let consumer = UnsafeMutablePointer<client>.allocate(capacity: 1)
        consumer.initialize(to: client())
        consumer.pointee.context = Unmanaged.passUnretained(poster).toOpaque()
        consumer.pointee.on_message = take
        "127.0.0.1".withCString { host in
            client_open(consumer, address(host: host, port: port), "push-client", false, 200, 4)
        }
        client_subscribe(consumer, arguments[2], 1)
        puts("ready")
        fflush(nil)
        withExtendedLifetime(poster) {
            while true {
                var entry = client_poll_entry(consumer, true)
                poll(&entry, 1, 1000)
                client_read(consumer, 400)
                client_write(consumer)
                client_tick(consumer)
            }
        }
    }
}
