import Hummingbird
import Logging

/// The baseline of `http` / `get thing`: Hummingbird answering a constant of a thing's size, and nothing else.
///
/// Usage: `hummingbird-constant PORT`. Listens on loopback and ends on SIGTERM or SIGINT.
@main
struct Constant {
    static func main() async throws {
        guard CommandLine.arguments.count == 2, let port = Int(CommandLine.arguments[1]) else {
            print("usage: hummingbird-constant PORT")
            return
        }
        // Silent, as the product is per request.
        var logger = Logger(label: "constant")
        logger.logLevel = .error

        let body = ByteBuffer(string: #"{"note":""# + String(repeating: "0", count: 489) + "\"}")
        let router = Router()
        router.get("/constant") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
        }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: logger)
        try await application.runService()
    }
}
