// All end-to-end tests run one after the other: each needs the machine for itself.
import Testing

@Suite(
    "End to end", .serialized,
    .enabled(
        if: TwinspanProcess.unavailableReason == nil, Comment(rawValue: TwinspanProcess.unavailableReason ?? "")))
enum EndToEnd {}
