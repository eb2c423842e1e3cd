#!/usr/bin/env python3
"""What a Mach-O file is made of, without macOS.

macho.py library FILE SYMBOLS_DEF   rows of __interpose are the list's; only libSystem is needed; arm64 is signed
macho.py program FILE               only libSystem is needed; arm64 is signed
macho.py fat OUT FILE...            one file for several processors

Layouts: Apple's <mach-o/loader.h> and <mach-o/fat.h>.
"""
import re
import struct
import sys

LC_SEGMENT_64, LC_LOAD_DYLIB, LC_CODE_SIGNATURE = 0x19, 0xC, 0x1D
LC_DYLD_INFO, LC_DYLD_INFO_ONLY, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB = 0x22, 0x80000022, 0x80000018, 0x8000001F
CPU_X86_64, CPU_ARM64 = 0x01000007, 0x0100000C
LIBSYSTEM = "/usr/lib/libSystem.B.dylib"


def fail(text):
    sys.exit("macho.py: " + text)


def commands(data):
    magic, cpu, _, _, count, _, _, _ = struct.unpack_from("<8I", data)
    if magic != 0xFEEDFACF:
        fail("not a 64-bit Mach-O file")
    at = 32
    for _ in range(count):
        kind, size = struct.unpack_from("<2I", data, at)
        yield kind, at
        at += size
    return cpu


def uleb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def binds(data, at, end, segments):
    """(address, symbol) of every pointer that the loader binds: the opcodes of LC_DYLD_INFO."""
    symbol, address = "", 0
    while at < end:
        opcode, low = data[at] & 0xF0, data[at] & 0x0F
        at += 1
        if opcode in (0x20, 0x60):  # SET_DYLIB_ORDINAL_ULEB, SET_ADDEND_SLEB
            _, at = uleb(data, at)
        elif opcode == 0x40:  # SET_SYMBOL_TRAILING_FLAGS_IMM
            stop = data.index(0, at)
            symbol, at = data[at:stop].decode(), stop + 1
        elif opcode == 0x70:  # SET_SEGMENT_AND_OFFSET_ULEB
            offset, at = uleb(data, at)
            address = segments[low] + offset
        elif opcode == 0x80:  # ADD_ADDR_ULEB
            add, at = uleb(data, at)
            address = (address + add) & (1 << 64) - 1
        elif opcode == 0x90:  # DO_BIND
            yield address, symbol
            address += 8
        elif opcode == 0xA0:  # DO_BIND_ADD_ADDR_ULEB
            yield address, symbol
            add, at = uleb(data, at)
            address = (address + 8 + add) & (1 << 64) - 1
        elif opcode == 0xB0:  # DO_BIND_ADD_ADDR_IMM_SCALED
            yield address, symbol
            address += 8 + 8 * low
        elif opcode == 0xC0:  # DO_BIND_ULEB_TIMES_SKIPPING_ULEB
            times, at = uleb(data, at)
            skip, at = uleb(data, at)
            for _ in range(times):
                yield address, symbol
                address += 8 + skip


def examine(data):
    segments, needed, table, info, signed = [], [], None, None, False
    for kind, at in commands(data):
        if kind == LC_SEGMENT_64:
            segments.append(struct.unpack_from("<Q", data, at + 24)[0])
            for section in range(struct.unpack_from("<I", data, at + 64)[0]):
                name, _, start, size = struct.unpack_from("<16s16s2Q", data, at + 72 + 80 * section)
                if name.rstrip(b"\0") == b"__interpose":
                    table = (start, size)
        elif kind in (LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB):
            start = at + struct.unpack_from("<I", data, at + 8)[0]
            needed.append(data[start : data.index(0, start)].decode())
        elif kind in (LC_DYLD_INFO, LC_DYLD_INFO_ONLY):
            info = struct.unpack_from("<10I", data, at + 8)
        elif kind == LC_CODE_SIGNATURE:
            signed = True
    return segments, needed, table, info, signed


def common(path):
    data = open(path, "rb").read()
    segments, needed, table, info, signed = examine(data)
    cpu = struct.unpack_from("<I", data, 4)[0]
    if needed != [LIBSYSTEM]:
        fail(f"{path}: needs {needed}, not {LIBSYSTEM} alone")
    if cpu == CPU_ARM64 and not signed:
        fail(f"{path}: is not signed: arm64 does not run it")
    return data, segments, table, info


def library(path, listed):
    data, segments, table, info = common(path)
    if not table or table[1] % 16 or not info:
        fail(f"{path}: has no whole __interpose table, or no bind opcodes")
    start, size = table
    have = []
    for address, symbol in binds(data, info[2], info[2] + info[3], segments):
        if start <= address < start + size:
            if (address - start) % 16 != 8:
                fail(f"{path}: {symbol} stands where our own function should")
            have.append(symbol)
    want = ["_" + name for name in re.findall(r"^SYMBOL\((\w+),", open(listed).read(), re.M)]
    if sorted(have) != sorted(want) or size != 16 * len(want):
        fail(f"{path}: __interpose differs from {listed}:\nhave {sorted(have)}\nwant {sorted(want)}")
    print(f"{path}: {len(have)} interposed functions as listed; needs libSystem alone")


def fat(out, paths):
    """Big-endian header, each part at a multiple of 16 KB, the page of arm64."""
    header = struct.pack(">2I", 0xCAFEBABE, len(paths))
    body, offset = b"", 1 << 14
    for path in paths:
        data = open(path, "rb").read()
        _, cpu, subtype = struct.unpack_from("<3I", data)
        header += struct.pack(">5I", cpu, subtype, offset, len(data), 14)
        padded = data + b"\0" * (-len(data) % (1 << 14))
        body += padded
        offset += len(padded)
    with open(out, "wb") as file:
        file.write(header.ljust(1 << 14, b"\0") + body)


if sys.argv[1:2] == ["library"]:
    library(sys.argv[2], sys.argv[3])
elif sys.argv[1:2] == ["program"]:
    common(sys.argv[2])
    print(f"{sys.argv[2]}: needs libSystem alone")
elif sys.argv[1:2] == ["fat"]:
    fat(sys.argv[2], sys.argv[3:])
else:
    sys.exit(__doc__)
