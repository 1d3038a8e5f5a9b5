// Makes writes and syncs below a directory fail, in the real process: a small library that is loaded before libc.
import Foundation
import TwinspanTestSupport

/// Faults of one directory's files, switched by a control file.
final class FaultInjector {
    enum Call: Int { case write = 1, sync = 2, any = 3 }

    /// Why it cannot be used; nil if it can.
    static let unavailableReason: String? =
        access(compiler, X_OK) == 0 ? nil : "\(compiler) is missing (apt-get install gcc): store faults are not tested"

    private static let compiler = "/usr/bin/cc"
    private let library: String
    private let control: String
    private let target: String

    /// Compiles the library into `directory`; faults hit files below `target`.
    init(in directory: String, target: String) throws {
        library = directory + "/faults.so"
        control = directory + "/fault"
        self.target = target
        let source = directory + "/faults.c"
        try Self.source.write(toFile: source, atomically: false, encoding: .utf8)
        let compile = try ChildProcess(
            [Self.compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"],
            logPath: directory + "/cc.log")
        let end = Date(timeIntervalSinceNow: 60)
        while compile.isRunning, Date() < end { usleep(5_000) }
        try require(compile.exitCode == 0, "the fault library cannot be compiled, see \(directory)/cc.log")
    }

    /// What the process has to be started with.
    var environment: [String: String] {
        ["LD_PRELOAD": library, "FAULT_CONTROL": control, "FAULT_DIRECTORY": target]
    }

    /// Lets calls fail with an error number, after `skip` more of them, `count` times; nil is until `clear`.
    func set(_ call: Call, error: Int32, skip: Int = 0, count: Int? = nil) throws {
        // Complete or not at all: the library reads the file whenever it is another one.
        try "\(call.rawValue) \(error) \(skip) \(count ?? -1)".write(
            toFile: control, atomically: true, encoding: .utf8)
    }

    /// Everything works again.
    func clear() { unlink(control) }

    /// Whether all faults that were asked for have happened.
    var isSpent: Bool { access(control, F_OK) != 0 }

    private static let source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/stat.h>
        #include <sys/types.h>
        #include <unistd.h>

        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static struct stat known;
        static int kinds, error_number;
        static long skip, left;

        static void reread(const char *control, const struct stat *now) {
            if (now->st_ino == known.st_ino && now->st_mtim.tv_sec == known.st_mtim.tv_sec
                && now->st_mtim.tv_nsec == known.st_mtim.tv_nsec) return;
            FILE *file = fopen(control, "re");
            if (!file) return;
            if (fscanf(file, "%d %d %ld %ld", &kinds, &error_number, &skip, &left) == 4) known = *now;
            fclose(file);
        }

        /* Whether this call is to fail; sets errno. */
        static int fails(int descriptor, int kind) {
            const char *control = getenv("FAULT_CONTROL"), *directory = getenv("FAULT_DIRECTORY");
            struct stat now;
            int saved = errno, hit = 0;
            if (!control || !directory || stat(control, &now) != 0) { errno = saved; return 0; }
            char link[64], path[4096];
            snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length < 0) { errno = saved; return 0; }
            path[length] = 0;
            if (strncmp(path, directory, strlen(directory)) != 0) { errno = saved; return 0; }
            pthread_mutex_lock(&lock);
            reread(control, &now);
            /* Whether a disk is full is asked of the file system when SQLite cannot grow its shared index, and the
               file system cannot be made to lie from here; the test with the small file system has that case. */
            int is_index = length > 4 && strcmp(path + length - 4, "-shm") == 0;
            if ((kinds & kind) && !(is_index && error_number == ENOSPC)) {
                if (skip > 0) skip--;
                else if (left != 0) {
                    hit = 1;
                    if (left > 0 && --left == 0) unlink(control);
                }
            }
            pthread_mutex_unlock(&lock);
            errno = hit ? error_number : saved;
            return hit;
        }

        #define REAL(type, name, ...) \\
            static type (*real)(__VA_ARGS__); \\
            if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

        ssize_t write(int fd, const void *bytes, size_t count) {
            REAL(ssize_t, "write", int, const void *, size_t);
            return fails(fd, 1) ? -1 : real(fd, bytes, count);
        }
        ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
            REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
            return fails(fd, 1) ? -1 : real(fd, bytes, count, at);
        }
        ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
            REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
            return fails(fd, 1) ? -1 : real(fd, bytes, count, at);
        }
        int fsync(int fd) {
            REAL(int, "fsync", int);
            return fails(fd, 2) ? -1 : real(fd);
        }
        int fdatasync(int fd) {
            REAL(int, "fdatasync", int);
            return fails(fd, 2) ? -1 : real(fd);
        }

        """
}
