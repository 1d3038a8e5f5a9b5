// Finds out which address of a host accepts a connection, by non-blocking connects to all of them at once.
import Glibc

/// Tries the addresses of a host.
public enum ConnectProbe {
    /// How a probe ended.
    public enum Outcome: Equatable {
        /// This address accepted first.
        case answered(HostAddress)
        /// No address accepted; the system's error number of the last one.
        case refused(errorNumber: Int32)
        case timedOut
        case stopped
    }

    /// Connects to all addresses at once and closes every connection but the first that stands; that one stays with
    /// who keeps it, a non-blocking socket, and is closed too when nobody does.
    public static func run(
        _ addresses: [HostAddress], until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        keep: ((_ descriptor: Int32) -> Void)? = nil
    ) -> Outcome {
        var attempts: [(descriptor: Int32, address: HostAddress)] = []
        defer { for attempt in attempts { close(attempt.descriptor) } }
        var lastError = ECONNREFUSED
        for address in addresses {
            switch begin(address) {
            case .success(let descriptor): attempts.append((descriptor, address))
            case .failure(let failure): lastError = failure.number
            }
        }
        while !attempts.isEmpty {
            if control.isStopping { return .stopped }
            if deadline.hasPassed { return .timedOut }
            var descriptors = attempts.map { pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0) }
            descriptors.append(pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0))
            poll(&descriptors, nfds_t(descriptors.count), deadline.pollTimeout)
            if descriptors[attempts.count].revents != 0 { wake.drain() }
            for index in attempts.indices.reversed() where descriptors[index].revents != 0 {
                let number = pendingError(of: attempts[index].descriptor)
                if number == 0 {
                    let address = attempts[index].address
                    if let keep { keep(attempts.remove(at: index).descriptor) }
                    return .answered(address)
                }
                lastError = number
                close(attempts.remove(at: index).descriptor)
            }
        }
        return .refused(errorNumber: lastError)
    }

    private struct SystemFailure: Error { let number: Int32 }

    private static func begin(_ address: HostAddress) -> Result<Int32, SystemFailure> {
        address.socketAddress.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return .failure(SystemFailure(number: EINVAL)) }
            let target = start.assumingMemoryBound(to: sockaddr.self)
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            let descriptor = socket(Int32(target.pointee.sa_family), kind, 0)
            guard descriptor >= 0 else { return .failure(SystemFailure(number: errno)) }
            if connect(descriptor, target, socklen_t(bytes.count)) == 0 || errno == EINPROGRESS {
                return .success(descriptor)
            }
            let number = errno
            close(descriptor)
            return .failure(SystemFailure(number: number))
        }
    }

    private static func pendingError(of descriptor: Int32) -> Int32 {
        var number: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else { return errno }
        return number
    }
}

/// The system's text for an error number.
public func systemErrorText(_ number: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
