// Labels of acknowledgements (spec/connectivity.md §1.8): text, or `{{ connection:id }}:` and text behind it.
import TwinspanExpressions
import TwinspanProtocol

/// Reads labels of one connection.
struct LabelReader {
    /// What a label is for.
    enum Use {
        /// A source may answer with it.
        case declared
        /// A target issues it.
        case issued
        /// A source asks for it.
        case requested
    }

    let sink: DiagnosticSink
    /// Nil when the connection has no valid id, which is reported; labels are then checked as far as it goes.
    let connectionID: ConnectionID?

    /// The label with the connection's id put in; nil if it is not valid, which is reported.
    func label(_ text: Located<String>, _ use: Use) -> AckLabel? {
        let wire: WireError = use == .requested ? .requestInvalid : .labelInvalid
        guard let template = TemplateReader(sink: sink).template(text, .acknowledgementLabel) else { return nil }
        let resolver = ConnectionIDResolver(id: connectionID?.text ?? "connection")
        guard let resolved = template.resolve(resolver).first, let label = try? AckLabel(resolved) else {
            // The reason is always the same, so the error of the label says no more.
            sink.error(
                at: Spot(of: text.node), path: text.path, "'\(text.value)' is not an acknowledgement label",
                hint: "labels have 3 to 165 letters, digits, '-', '_' and ':'", as: wire)
            return nil
        }
        if use == .requested || (use == .issued && label == .liveResponse) { return label }
        guard let connectionID, !resolved.hasPrefix(connectionID.text + ":") else { return label }
        let isSuffix = !resolved.contains(":") && !label.isBuiltIn
        sink.error(
            at: Spot(of: text.node), path: text.path,
            "the label '\(resolved)' must begin with the id of this connection",
            hint: use == .issued
                ? "write {{ connection:id }}:name, or live-response" : "write {{ connection:id }}:name",
            suggestion: isSuffix ? "{{ connection:id }}:\(resolved)" : nil, as: wire)
        return nil
    }
}

/// Knows the connection's id only.
private struct ConnectionIDResolver: PlaceholderResolver {
    let id: String

    func values(of placeholder: Placeholder) -> PlaceholderValues {
        placeholder == .connectionID ? .one(id) : .unresolved
    }
}
