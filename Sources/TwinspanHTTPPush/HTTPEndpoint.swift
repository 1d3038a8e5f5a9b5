// `http[s]://host[:port][/path][?query]`, as far as requests need it.

/// Where requests go.
struct HTTPEndpoint: Sendable, Equatable {
    let isSecure: Bool
    /// A name or an address, without brackets.
    let host: String
    let port: Int
    /// Path and query; begins with `/`.
    let target: String

    init(isSecure: Bool, host: String, port: Int, target: String) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.target = target
    }

    /// Nil when the text is no URL of HTTP.
    init?(_ url: String) {
        guard let start = url.range(of: "://") else { return nil }
        switch url[..<start.lowerBound].lowercased() {
        case "https": isSecure = true
        case "http": isSecure = false
        default: return nil
        }
        let rest = url[start.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@"), authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let isBracketed = authority.first == "["
        let hostEnd = isBracketed ? authority.firstIndex(of: "]") : authority.firstIndex(of: ":") ?? authority.endIndex
        guard let hostEnd else { return nil }
        host = String(authority[..<hostEnd].drop { $0 == "[" })
        let behind = authority[hostEnd...].drop { $0 == "]" }
        if behind.isEmpty {
            port = isSecure ? 443 : 80
        } else {
            guard behind.first == ":", let number = Int(behind.dropFirst()), (1...65_535).contains(number) else {
                return nil
            }
            port = number
        }
        guard !host.isEmpty else { return nil }
        let tail = rest[authority.endIndex...]
        let mark = tail.firstIndex(of: "?")
        let path = PushAddress.path(tail[..<(mark ?? tail.endIndex)])
        let query = mark.map { "?" + PushAddress.encodedQuery(tail[tail.index(after: $0)...]) } ?? ""
        target = (path.isEmpty ? "/" : path) + query
    }

    /// The host as it stands in a URL.
    var hostText: String { host.contains(":") ? "[\(host)]" : host }

    /// `Host`: with the port unless it is that of the scheme.
    var hostHeader: String { port == (isSecure ? 443 : 80) ? hostText : "\(hostText):\(port)" }

    /// For messages: without query.
    var text: String { "\(isSecure ? "https" : "http")://\(hostHeader)\(target.prefix { $0 != "?" })" }
}

extension String {
    /// The first place of a text in this one.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
