import Foundation

/// The name of the calling thread.
func currentThreadName() -> String {
    // Without the file there is no name to compare.
    let text = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
}

func usleepMilliseconds(_ milliseconds: UInt32) { usleep(milliseconds * 1000) }
