"""Exchanges ranges of two files: one request a line on standard input (two paths as hexadecimal
digits, two byte offsets, a length), one errno a line on standard output.

XFS_IOC_EXCHANGE_RANGE (xfs_fs.h) is an ioctl on the second file: 40 bytes of file descriptor,
padding, two offsets, a length, flags.
"""
import fcntl
import os
import struct
import sys

EXCHANGE_RANGE = 1 << 30 | 40 << 16 | ord("X") << 8 | 129


def exchange(first, second, first_offset, second_offset, length):
    one = os.open(bytes.fromhex(first), os.O_RDWR)
    try:
        two = os.open(bytes.fromhex(second), os.O_RDWR)
        try:
            request = struct.pack(
                "=iIQQQQ", one, 0, int(first_offset), int(second_offset), int(length), 0
            )
            fcntl.ioctl(two, EXCHANGE_RANGE, request)
        finally:
            os.close(two)
    finally:
        os.close(one)


for line in sys.stdin:
    try:
        exchange(*line.split())
        answer = 0
    except OSError as error:
        answer = error.errno
    print(answer, flush=True)
