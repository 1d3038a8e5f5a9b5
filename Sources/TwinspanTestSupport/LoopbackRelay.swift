// A TCP relay between a session and its broker that can turn into a black hole: the connections stay, nobody hears
// anything any more, as when a firewall forgets a connection or a cable is pulled. What was said meanwhile arrives when
// it forwards again, as TCP would repeat it.
import Foundation

/// Forwards connections on loopback, as long as the test wants it to.
public final class LoopbackRelay: Sendable {
    private struct State {
        var isForwarding = true
        var isClosed = false
        /// Counts `cut`: connections of an earlier number end.
        var generation = 0
        var connections = 0
    }

    /// Where to connect in place of the broker.
    public var port: Int { listener.port }
    private let listener: LoopbackListener
    private let state = Watched(State())

    /// Relays to a port of 127.0.0.1, which needs to be open only when somebody connects.
    public init(to target: Int) throws {
        let listener = try LoopbackListener()
        self.listener = listener
        Thread.detachNewThread { [state] in
            while true {
                let near = listener.accept()
                guard near >= 0 else { return }
                let generation = state.update { state in
                    state.connections += 1
                    return state.generation
                }
                Thread.detachNewThread { LoopbackRelay.serve(near, target, generation, state) }
            }
        }
    }

    deinit {
        listener.interrupt()
        state.update { $0.isClosed = true }
    }

    /// How many connections were made so far.
    public var connections: Int { state.current.connections }

    /// Becomes a black hole: nothing is forwarded in either direction, nothing is closed, and those who connect are
    /// accepted and hear nothing.
    public func swallow() { state.update { $0.isForwarding = false } }

    /// Forwards again.
    public func forward() { state.update { $0.isForwarding = true } }

    /// Ends every connection on both sides; later ones are served.
    public func cut() { state.update { $0.generation += 1 } }

    private static func serve(_ near: Int32, _ target: Int, _ generation: Int, _ state: Watched<State>) {
        defer { close(near) }
        guard mayForward(generation, state) else { return }
        // A broker that is not there looks like one that hangs up.
        guard let far = try? LoopbackPort.connect(to: target) else { return }
        defer { close(far) }
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var isOpen = [true, true]
        while isOpen[0] || isOpen[1] {
            guard mayForward(generation, state) else { return }
            var descriptors = [near, far].enumerated().map { index, descriptor in
                pollfd(fd: isOpen[index] ? descriptor : -1, events: Int16(POLLIN), revents: 0)
            }
            // Short, so that a black hole begins soon.
            guard poll(&descriptors, 2, 20) > 0, state.current.isForwarding else { continue }
            for index in 0..<2 where descriptors[index].revents != 0 {
                let (from, to) = index == 0 ? (near, far) : (far, near)
                let count = recv(from, &chunk, chunk.count, 0)
                if count <= 0 {
                    isOpen[index] = false
                    shutdown(to, Int32(SHUT_WR))
                    if count < 0 { return }
                } else if !write(chunk[..<count], to: to) {
                    return
                }
            }
        }
    }

    /// Waits until the relay forwards; false when this connection shall end.
    private static func mayForward(_ generation: Int, _ state: Watched<State>) -> Bool {
        let isOver = { (state: State) in state.isClosed || state.generation != generation }
        while true {
            _ = state.wait(60) { $0.isForwarding || isOver($0) }
            let now = state.current
            if isOver(now) { return false }
            if now.isForwarding { return true }
        }
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
