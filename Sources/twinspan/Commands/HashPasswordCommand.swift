// `twinspan hash-password`: makes the hash that `passwordHash` in twinspan.yaml asks for.
import ArgumentParser
import Glibc
import TwinspanHTTP

struct HashPasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash-password",
        abstract: "Make the hash of a password for twinspan.yaml.",
        discussion: """
            Asks for the password twice without showing it. When the input is not a terminal, its first line is the \
            password. Prints a yescrypt hash.

            Examples:
              twinspan hash-password
              pass show twinspan | twinspan hash-password
            """)

    func run() throws {
        let password = isatty(STDIN_FILENO) == 1 ? try askTwice() : try firstLine()
        do throws(PasswordHashFailure) {
            StandardOutput.write(try PasswordHash.make(password) + "\n")
        } catch {
            StandardError.write("cannot hash the password: \(error.description).\n")
            throw ExitCode(1)
        }
    }

    private func askTwice() throws -> String {
        let password = try HiddenInput.ask("Password: ")
        guard try HiddenInput.ask("The same again: ") == password else {
            StandardError.write("the two passwords differ.\n  → try again\n")
            throw ExitCode(1)
        }
        return password
    }

    private func firstLine() throws -> String {
        guard let line = readLine(strippingNewline: true) else {
            StandardError.write("there is no password on the standard input.\n  → twinspan hash-password < FILE\n")
            throw ExitCode(1)
        }
        return line
    }
}

/// Reads a line of a terminal without showing it.
enum HiddenInput {
    /// Far more than anybody types.
    private static let byteMaximum = 1024

    /// Shows the prompt on stderr and reads up to the return key. Ctrl-C and Ctrl-D give up.
    static func ask(_ prompt: String) throws -> String {
        StandardError.write(prompt)
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var hidden = before
        // Without signals from keys: an ended process could not turn the echo on again.
        hidden.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            StandardError.write("\n")
        }
        var bytes: [UInt8] = []
        while bytes.count < byteMaximum {
            var byte: UInt8 = 0
            let count = read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { break }
            switch byte {
            case 0x0A, 0x0D: return String(decoding: bytes, as: UTF8.self)
            case 0x03, 0x04: throw ExitCode(130)
            case 0x08, 0x7F: removeLastCharacter(&bytes)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Removes a character of UTF-8 with all its bytes.
    private static func removeLastCharacter(_ bytes: inout [UInt8]) {
        while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
    }
}
