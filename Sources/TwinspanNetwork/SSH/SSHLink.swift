// One connection through a tunnel: a socket at the near end and a channel. Each direction holds at most one buffer.
import Glibc

/// Carries bytes both ways. Closes the socket when it goes.
final class SSHLink {
    /// Connections through one tunnel at a time; a session has one or two.
    static let maximumCount = 64
    private static let capacity = 32 * 1024

    let descriptor: Int32
    private let channel: SSHChannel
    private let endpoint: Endpoint
    private var isOpen: Bool
    /// Read from the channel and not yet taken by the near end.
    private var inbound: [UInt8] = []
    /// Read from the near end and not yet taken by the channel.
    private var outbound: [UInt8] = []
    private var channelEnded = false
    private var nearEnded = false
    private(set) var isOver = false

    init(_ descriptor: Int32, _ channel: SSHChannel, to endpoint: Endpoint, isOpen: Bool) {
        self.descriptor = descriptor
        self.channel = channel
        self.endpoint = endpoint
        self.isOpen = isOpen
    }

    deinit { close(descriptor) }

    /// What to wait for at the near end.
    var interest: Int16 {
        let wantsInput = isOpen && !nearEnded && outbound.isEmpty && channel.window > 0
        return (wantsInput ? Int16(POLLIN) : 0) | (inbound.isEmpty ? 0 : Int16(POLLOUT))
    }

    /// Moves what can be moved.
    func turn() {
        if !isOpen {
            switch channel.open(host: endpoint.host, port: endpoint.port) {
            case .done: isOpen = true
            case .again: return
            case .failed, .denied:
                isOver = true
                return
            }
        }
        while moveOut() {}
        while moveIn() {}
        if channel.isClosed, inbound.isEmpty { channelEnded = true }
        if channelEnded, inbound.isEmpty { isOver = true }
    }

    /// From the near end to the broker; whether there may be more.
    private func moveOut() -> Bool {
        if outbound.isEmpty, !nearEnded, channel.window > 0 {
            var buffer = [UInt8](repeating: 0, count: Self.capacity)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                outbound = Array(buffer.prefix(count))
            } else if count == 0 {
                nearEnded = true
                channel.finish()
            } else if errno != EAGAIN, errno != EINTR {
                isOver = true
            }
        }
        guard !outbound.isEmpty else { return false }
        let limit = min(outbound.count, channel.window)
        guard limit > 0 else { return false }
        guard let taken = outbound.withUnsafeBytes({ channel.write(UnsafeRawBufferPointer(rebasing: $0[..<limit])) })
        else {
            isOver = true
            return false
        }
        outbound.removeFirst(taken)
        return taken > 0 && outbound.isEmpty
    }

    /// From the broker to the near end; whether there may be more.
    private func moveIn() -> Bool {
        if inbound.isEmpty, !channelEnded {
            var buffer = [UInt8](repeating: 0, count: Self.capacity)
            if let count = buffer.withUnsafeMutableBytes({ channel.read(into: $0) }) {
                inbound = Array(buffer.prefix(count))
            } else {
                channelEnded = true
            }
        }
        guard !inbound.isEmpty else { return false }
        let sent = send(descriptor, inbound, inbound.count, Int32(MSG_NOSIGNAL))
        if sent < 0 {
            if errno != EAGAIN, errno != EINTR { isOver = true }
            return false
        }
        inbound.removeFirst(sent)
        return inbound.isEmpty
    }
}
