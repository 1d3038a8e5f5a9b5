// The options of a script mapper.
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

struct ScriptOptions {
    private let definition: MapperDefinition
    private let limits: ScriptLimits

    init(_ definition: MapperDefinition, limits: ScriptLimits) {
        (self.definition, self.limits) = (definition, limits)
    }

    /// The script of an option; nil if it is absent or empty. Throws `connectivity:message.mapper.config.invalid` for
    /// what is no text, and `.failed` for a text that is too long or would do something later.
    func script(_ option: String) throws(TwinspanError) -> ScriptSource? {
        guard let value = definition.options[option], !value.isNull else { return nil }
        guard let text = value.string else {
            throw ConnectivityErrorTable.mapperConfigInvalid.error(
                "The option '\(option)' of the mapper '\(definition.name)' is not a text.",
                description: "Write the script as a text, in YAML behind '|'.")
        }
        let length = text.utf16.count
        guard length <= limits.scriptLength else {
            throw ConnectivityErrorTable.mapperConfigFailed.error(
                "The script size of '\(option)' of the mapper '\(definition.name)' is \(length) characters; "
                    + "\(limits.scriptLength) are allowed.",
                description: "Make the script smaller.")
        }
        guard text.utf8.contains(where: { $0 > 0x20 }) else { return nil }
        let place = definition.places[option]
        let source = ScriptSource(
            text: text, file: place?.file ?? "\(definition.name)/\(option)", line: place?.line ?? 1)
        if let (word, line) = source.wordOfJobs {
            throw ConnectivityErrorTable.mapperConfigFailed.error(
                "The script of '\(option)' of the mapper '\(definition.name)' uses '\(word)' (\(source.file):\(line)): "
                    + "nothing waits for what a script does later.",
                description: "Do it at once and return the result; the word may not stand in comments either.")
        }
        return source
    }

    /// Throws `connectivity:message.mapper.config.failed` for libraries that we do not have.
    func refuseLibraries() throws(TwinspanError) {
        for (option, library) in [("loadBytebufferJS", "bytebuffer.js"), ("loadLongJS", "long.js")] {
            let value = definition.options[option]
            guard value?.string ?? value?.text == "true" else { continue }
            throw ConnectivityErrorTable.mapperConfigFailed.error(
                "The option '\(option)' of the mapper '\(definition.name)' asks for \(library), "
                    + "which is not included.",
                description: "Use typed arrays, DataView and BigInt, or put the library's text into the script.")
        }
    }
}
