// JavaScriptCore, opened at run time when the first script is seen. Linked, it would cost every process 6 ms and 7 MB
// whether or not it has a script; so the functions are found by name, and nothing here comes from a header.
import Glibc
public import TwinspanProtocol

/// The functions of the engine's C API that we call. Values are pointers without a type, as in C; what they point to is
/// kept alive by the stack of the calling thread or by `protect`.
///
/// Unchecked: immutable after `init`; the engine itself locks each group of contexts.
public struct JavaScriptEngineLibrary: @unchecked Sendable {
    typealias Value = OpaquePointer
    typealias Context = OpaquePointer
    typealias Group = OpaquePointer
    typealias Text = OpaquePointer
    typealias Exception = UnsafeMutablePointer<Value?>?
    typealias Watch = @convention(c) (Context?, UnsafeMutableRawPointer?) -> Bool
    typealias Release = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void

    let makeGroup: @convention(c) () -> Group?
    let releaseGroup: @convention(c) (Group) -> Void
    let makeContext: @convention(c) (Group, OpaquePointer?) -> Context?
    let releaseContext: @convention(c) (Context) -> Void
    let globalObject: @convention(c) (Context) -> Value?
    /// Private in the header and exported since 2011: the group, seconds of processor time, the judge and its memory.
    let setTimeLimit: @convention(c) (Group, Double, Watch?, UnsafeMutableRawPointer?) -> Void

    let checkSyntax: @convention(c) (Context, Text, Text?, Int32, Exception) -> Bool
    let evaluate: @convention(c) (Context, Text, Value?, Text?, Int32, Exception) -> Value?
    let call: @convention(c) (Context, Value, Value?, Int, UnsafePointer<Value?>?, Exception) -> Value?

    /// Copies UTF-16. The functions for UTF-8 are eight times slower, end at a NUL and make an empty text of bytes
    /// that are not UTF-8; the one that does not copy would leave scripts with texts whose memory is ours.
    let makeText: @convention(c) (UnsafePointer<UInt16>?, Int) -> Text?
    let releaseText: @convention(c) (Text) -> Void
    let textLength: @convention(c) (Text) -> Int
    let textUnits: @convention(c) (Text) -> UnsafePointer<UInt16>?

    let undefined: @convention(c) (Context) -> Value?
    let makeString: @convention(c) (Context, Text) -> Value?
    let typeOf: @convention(c) (Context, Value) -> UInt32
    let toText: @convention(c) (Context, Value, Exception) -> Text?
    let toNumber: @convention(c) (Context, Value, Exception) -> Double
    let protect: @convention(c) (Context, Value) -> Void
    let unprotect: @convention(c) (Context, Value) -> Void
    let property: @convention(c) (Context, Value, Text, Exception) -> Value?
    let element: @convention(c) (Context, Value, UInt32, Exception) -> Value?

    let makeArrayBuffer:
        @convention(c) (Context, UnsafeMutableRawPointer, Int, Release, UnsafeMutableRawPointer?, Exception) -> Value?
    let typedArrayBytes: @convention(c) (Context, Value, Exception) -> UnsafeMutableRawPointer?
    let typedArrayLength: @convention(c) (Context, Value, Exception) -> Int

    /// Private in the header: an object of figures; takes a millisecond.
    let memoryStatistics: @convention(c) (Context) -> Value?
    let collectGarbage: @convention(c) (Context) -> Void

    /// Where the library stands: the package of Debian, the framework of macOS (not tested there).
    public static let standardPath: String = {
        #if os(macOS)
            "/System/Library/Frameworks/JavaScriptCore.framework/JavaScriptCore"
        #else
            "libjavascriptcoregtk-4.1.so.0"
        #endif
    }()

    /// The heap sizes itself by the memory of the machine, which it shall not: with this size a context stays at half
    /// of what it takes otherwise, and is not slower.
    private static let assumedMemory: UInt = 64 << 20

    private static let loaded: Result<JavaScriptEngineLibrary, TwinspanError> = {
        do throws(TwinspanError) {
            return .success(try JavaScriptEngineLibrary(path: standardPath))
        } catch {
            return .failure(error)
        }
    }()

    /// The engine of this process, opened with the first call and never closed. Throws
    /// `connectivity:message.mapper.config.failed` when it is not installed.
    public static func standard() throws(TwinspanError) -> JavaScriptEngineLibrary {
        try loaded.get()
    }

    /// Opens a library. Throws `connectivity:message.mapper.config.failed`.
    public init(path: String) throws(TwinspanError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw ConnectivityErrorTable.mapperConfigFailed.error(
                "Scripts cannot be run: the JavaScript engine '\(path)' is not installed.",
                description: "Install it, on Debian and Ubuntu with 'apt-get install libjavascriptcoregtk-4.1-0'.")
        }
        Self.setOptions(handle)
        let symbols = Symbols(handle: handle, path: path)
        makeGroup = try symbols.function("JSContextGroupCreate")
        releaseGroup = try symbols.function("JSContextGroupRelease")
        makeContext = try symbols.function("JSGlobalContextCreateInGroup")
        releaseContext = try symbols.function("JSGlobalContextRelease")
        globalObject = try symbols.function("JSContextGetGlobalObject")
        setTimeLimit = try symbols.function("JSContextGroupSetExecutionTimeLimit")
        checkSyntax = try symbols.function("JSCheckScriptSyntax")
        evaluate = try symbols.function("JSEvaluateScript")
        call = try symbols.function("JSObjectCallAsFunction")
        makeText = try symbols.function("JSStringCreateWithCharacters")
        releaseText = try symbols.function("JSStringRelease")
        textLength = try symbols.function("JSStringGetLength")
        textUnits = try symbols.function("JSStringGetCharactersPtr")
        undefined = try symbols.function("JSValueMakeUndefined")
        makeString = try symbols.function("JSValueMakeString")
        typeOf = try symbols.function("JSValueGetType")
        toText = try symbols.function("JSValueToStringCopy")
        toNumber = try symbols.function("JSValueToNumber")
        protect = try symbols.function("JSValueProtect")
        unprotect = try symbols.function("JSValueUnprotect")
        property = try symbols.function("JSObjectGetProperty")
        element = try symbols.function("JSObjectGetPropertyAtIndex")
        makeArrayBuffer = try symbols.function("JSObjectMakeArrayBufferWithBytesNoCopy")
        typedArrayBytes = try symbols.function("JSObjectGetTypedArrayBytesPtr")
        typedArrayLength = try symbols.function("JSObjectGetTypedArrayByteLength")
        memoryStatistics = try symbols.function("JSGetMemoryUsageStatistics")
        collectGarbage = try symbols.function("JSSynchronousGarbageCollectForDebugging")
    }

    /// Through the library's own functions, not through the environment, which other threads may be reading. What the
    /// user has set there stands.
    private static func setOptions(_ handle: UnsafeMutableRawPointer) {
        typealias SetSize = @convention(c) (UnsafePointer<CChar>, UInt) -> Int32
        typealias SetFlag = @convention(c) (UnsafePointer<CChar>, Int32) -> Int32
        if getenv("JSC_forceRAMSize") == nil, let symbol = dlsym(handle, "jsc_options_set_size") {
            _ = unsafeBitCast(symbol, to: SetSize.self)("forceRAMSize", assumedMemory)
        }
        // Running scripts ask whether they shall stop, instead of being stopped by a signal at any instruction.
        if getenv("JSC_usePollingTraps") == nil, let symbol = dlsym(handle, "jsc_options_set_boolean") {
            _ = unsafeBitCast(symbol, to: SetFlag.self)("usePollingTraps", 1)
        }
    }
}

/// Finds functions in an open library.
private struct Symbols {
    let handle: UnsafeMutableRawPointer
    let path: String

    /// - Returns: the function as the C function type the caller declares.
    func function<Function>(_ name: String) throws(TwinspanError) -> Function {
        guard let symbol = dlsym(handle, name) else {
            throw ConnectivityErrorTable.mapperConfigFailed.error(
                "Scripts cannot be run: '\(path)' has no function \(name).",
                description: "Install the library of WebKitGTK 2.36 or newer.")
        }
        return unsafeBitCast(symbol, to: Function.self)
    }
}
