"""Calls on files of the working directory: one a line on standard input, `errno value` a line on
standard output.

    write FILE AT LENGTH BYTE
    clone|dedupe|copy|exchange|written|ends DEST AT SOURCE START LENGTH

FICLONERANGE and FIDEDUPERANGE are in linux/fs.h, XFS_IOC_EXCHANGE_RANGE in xfs_fs.h.
"""
import fcntl
import os
import struct
import sys

CLONE_RANGE = 1 << 30 | 32 << 16 | 0x94 << 8 | 13
DEDUPE_RANGE = 3 << 30 | 24 << 16 | 0x94 << 8 | 54
EXCHANGE_RANGE = 1 << 30 | 40 << 16 | ord("X") << 8 | 129
TO_EOF, FILE1_WRITTEN = 1 << 0, 1 << 3


def dedupe(dest, at, source, start, length):
    request = struct.pack("=QQHHIqQQiI", start, length, 1, 0, 0, dest, at, 0, 0, 0)
    answer = fcntl.ioctl(source, DEDUPE_RANGE, request)
    done, status = struct.unpack_from("=Qi", answer, 40)
    if status < 0:
        raise OSError(-status, "dedupe")
    return done if status == 0 else -1


def copy(dest, at, source, start, length):
    done = 0
    while done < length:
        count = os.copy_file_range(source, dest, length - done, start + done, at + done)
        if count == 0:
            break
        done += count
    return done


def exchange(dest, at, source, start, length, flags):
    request = struct.pack("=iIQQQQ", source, 0, start, at, length, flags)
    fcntl.ioctl(dest, EXCHANGE_RANGE, request)


def call(verb, dest, at, source, start, length):
    one, other = os.open(dest, os.O_RDWR), os.open(source, os.O_RDWR)
    try:
        if verb == "clone":
            fcntl.ioctl(one, CLONE_RANGE, struct.pack("=qQQQ", other, start, length, at))
        elif verb == "dedupe":
            return dedupe(one, at, other, start, length)
        elif verb == "copy":
            return copy(one, at, other, start, length)
        else:
            flags = {"exchange": 0, "written": FILE1_WRITTEN, "ends": TO_EOF}[verb]
            exchange(one, at, other, start, length, flags)
    finally:
        os.close(one)
        os.close(other)
    return 0


def write(name, at, length, byte):
    file = os.open(name, os.O_RDWR | os.O_CREAT)
    try:
        return os.pwrite(file, bytes([byte]) * length, at)
    finally:
        os.close(file)


def perform(words):
    if words[0] == "write":
        return write(words[1], int(words[2]), int(words[3]), int(words[4]))
    verb, dest, at, source, start, length = words
    return call(verb, dest, int(at), source, int(start), int(length))


for line in sys.stdin:
    try:
        errno, value = 0, perform(line.split())
    except OSError as error:
        errno, value = error.errno, 0
    print(errno, value, flush=True)
