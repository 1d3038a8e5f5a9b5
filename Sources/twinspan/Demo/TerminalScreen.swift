// Rewrites a block of lines in place.
import Glibc
import Synchronization

/// The terminal that stdout is, if it is one.
final class TerminalScreen: Sendable {
    let isTerminal = isatty(STDOUT_FILENO) == 1
    private let shownLines = Mutex(0)

    /// Hides the cursor.
    func begin() {
        if isTerminal { StandardOutput.write("\u{1B}[?25l") }
    }

    /// Shows the cursor again.
    func end() {
        if isTerminal { StandardOutput.write("\u{1B}[?25h") }
    }

    /// Writes the lines over those of the last call. Long lines may wrap; then their rows are counted too.
    func show(_ lines: [String]) {
        let columns = max(size.columns, 1)
        let rows = lines.reduce(0) { $0 + max(1, ($1.count + columns - 1) / columns) }
        let up = shownLines.withLock { shown in
            defer { shown = rows }
            return shown
        }
        let back = up > 0 ? "\u{1B}[\(up)A\r\u{1B}[J" : ""
        StandardOutput.write(back + lines.map { $0 + "\n" }.joined())
    }

    /// 100 by 30 when the terminal does not tell.
    var size: (columns: Int, lines: Int) {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
            return (100, 30)
        }
        return (Int(window.ws_col), Int(window.ws_row))
    }
}
