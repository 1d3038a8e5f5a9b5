import Glibc
import Testing

@testable import TwinspanConnections

@Suite("Files of the system")
struct SystemFilesTests {
    @Test("are listed and read; what cannot be read says why")
    func files() throws {
        var template = Array("/tmp/twinspan-files-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        let directory = String(cString: made)
        let path = "\(directory)/a.yaml"
        defer {
            unlink(path)
            rmdir(directory)
        }
        let content = Array(repeating: UInt8(ascii: "x"), count: 100_000)
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        try #require(write(descriptor, content, content.count) == content.count)
        close(descriptor)
        let files = SystemFiles()
        #expect(files.kind(of: directory) == .directory && files.kind(of: path) == .file)
        #expect(files.kind(of: "\(directory)/b") == nil)
        #expect(try files.entries(of: directory) == ["a.yaml"])
        #expect(try files.contents(of: path) == content)
        #expect(throws: FileAccessError(reason: "no such file or directory")) {
            try files.contents(of: "\(directory)/b")
        }
        #expect(throws: FileAccessError(reason: "is a directory")) { try files.contents(of: directory) }
        #expect(throws: FileAccessError(reason: "not a directory")) { try files.entries(of: path) }
    }

    @Test("environment variables are those of the process")
    func variables() {
        setenv("TWINSPAN_TEST_VARIABLE", "yes", 1)
        #expect(ConfigurationEnvironment.process.variable("TWINSPAN_TEST_VARIABLE") == "yes")
        unsetenv("TWINSPAN_TEST_VARIABLE")
        #expect(ConfigurationEnvironment.process.variable("TWINSPAN_TEST_VARIABLE") == nil)
    }
}
