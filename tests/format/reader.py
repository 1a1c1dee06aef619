#!/usr/bin/env python3
"""Reads a .cinema file by nothing but src/store/FORMAT.md and the standard library: a second reader, by which the document is
tried. Prints the events as JSON lines; then the marks, the branches, and how many keyframes there are.

    python3 reader.py FILE

Payloads are compressed with zstd, which Python 3.11 has no module for: libzstd.so.1 is asked, which every Debian has. Without
it, payloads are printed as null, and files in archive form cannot be read.
"""

import ctypes
import ctypes.util
import json
import struct
import sys
import zlib

INFO, DICTIONARY, SEGMENT, PAYLOADS, KEYFRAMES, DIRECTORY, PAGES, MARKS = range(1, 9)
BLOCK_EVENTS = 128
PAST_BYTES_MAX = 64 << 10
SECTIONS_V2 = (
    "time_min time_max time_starts time_bits kind cause_far cause_order meta actors tags calls end_base end_starts end_bits "
    "blocks gram_starts grams process_starts process_lists peer_starts peer_lists tag_starts tag_lists chunk_kinds "
    "path_keys path_starts path_list class process peer tag call cause payload"
).split()
KINDS = dict(
    enumerate(
        "spawn exit crash link unlink monitor demonitor down register unregister send receive handle_start handle_end reply "
        "timeout late_reply send_to_dead state_change code_change supervisor_restart child_spec_change timer_start timer_fire "
        "timer_cancel gc loss mark restored forked exit_signal log input sample".split(),
        start=1,
    )
)
KINDS |= {40: "held", 41: "released"}
RECEIVE, HANDLE_START, REPLY, DOWN, TIMER_FIRE = 12, 13, 15, 8, 24


class Damaged(Exception):
    pass


def check(is_right, what):
    if not is_right:
        raise Damaged(what)


class Zstd:
    """libzstd, as far as it is needed."""

    def __init__(self):
        name = ctypes.util.find_library("zstd") or "libzstd.so.1"
        try:
            self.lib = ctypes.CDLL(name)
        except OSError:
            self.lib = None
            return
        self.lib.ZSTD_createDCtx.restype = ctypes.c_void_p
        self.lib.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
        self.lib.ZSTD_isError.argtypes = [ctypes.c_size_t]
        of = self.lib.ZSTD_decompress_usingDict
        of.restype = ctypes.c_size_t
        size, text = ctypes.c_size_t, ctypes.c_char_p
        of.argtypes = [ctypes.c_void_p, ctypes.c_void_p, size, text, size, text, size]

    def inflate(self, packed, n_plain, past=b""):
        if self.lib is None:
            return None
        out = ctypes.create_string_buffer(max(n_plain, 1))
        context = self.lib.ZSTD_createDCtx()
        n = self.lib.ZSTD_decompress_usingDict(context, out, n_plain, packed, len(packed), past, len(past))
        self.lib.ZSTD_freeDCtx(context)
        check(not self.lib.ZSTD_isError(n) and n == n_plain, "a compressed block does not inflate")
        return out.raw[:n_plain]


ZSTD = Zstd()


class Bytes:
    """Reads from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        check(self.at + n <= len(self.data), "the bytes end too soon")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            check(shift < 64, "a varint is too long")

    def signed(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def text(self):
        return self.take(self.varint()).decode()

    def plain(self):
        return self.take(self.varint())

    def count(self):
        n = self.varint()
        check(n <= len(self.data) - self.at, "a count is larger than the bytes justify")
        return n

    def is_empty(self):
        return self.at == len(self.data)


def read_actor(data):
    sort, node = data.take(1)[0], data.text()
    creation, first, second, incarnation = (data.varint() for _ in range(4))
    return [["pid", "port"][sort], node, creation, first, second, incarnation]


def read_dictionaries(data):
    return [read_actor(data) for _ in range(data.count())], [data.text() for _ in range(data.count())]


def read_info(data):
    info = {"source": data.text(), "title": data.text(), "wall_offset_ns": data.number("q")}
    info["is_elixir"] = data.take(1)[0] != 0
    info["notes"] = [[data.text(), data.text()] for _ in range(data.count())]
    return info


def read_marks(data):
    marks = []
    for _ in range(data.count()):
        name, at, note = data.text(), data.varint(), data.text()
        marks.append({"mark": name, "seq": at, "note": note, "is_snapshot": data.take(1)[0] != 0})
    return marks


def read_place(data):
    begin, length = data.varint(), data.varint()
    return begin, begin + length


def read_keyframes(data):
    return [(data.varint(), read_place(data), data.number("I")) for _ in range(data.count())]


def read_head(data, version):
    head = dict(zip(("start", "n_events", "time_min", "time_max", "kinds", "n_actors", "n_tags", "n_payloads"),
                    struct.unpack("<QIqqQIII", data.take(48))))
    n_sections = len(SECTIONS_V2) if version == 2 else data.number("I")
    names = {zlib.crc32(name.encode()) & 0xFFFFFF: name for name in SECTIONS_V2}
    head["sections"] = {}
    for place in range(n_sections):
        at, length, word = struct.unpack("<III", data.take(12))
        name = SECTIONS_V2[place] if version == 2 else names.get(word >> 8)
        if name is not None:
            head["sections"][name] = (at, length, word if version == 2 else word & 0xFF)
    return head


def read_block(file, offset, kind):
    magic, found, n_bytes, checksum, own = struct.unpack_from("<4sIQII", file, offset)
    check(magic == b"CBLK" and zlib.crc32(file[offset : offset + 20]) == own, f"no block at offset {offset}")
    check(found == kind, f"the block at offset {offset} is of kind {found}")
    content = file[offset + 24 : offset + 24 + n_bytes]
    check(len(content) == n_bytes and zlib.crc32(content) == checksum, f"the block at offset {offset} is damaged")
    return content


def read_directory(file, version):
    magic, offset, checksum = struct.unpack("<8sQI", file[-24:-4])
    check(magic == b"CINEMEND" and zlib.crc32(file[-24:-8]) == checksum, "the file has no end")
    data = Bytes(read_block(file, offset, DIRECTORY))
    directory = {"info": read_info(data)}
    directory["actors"], directory["tags"] = read_dictionaries(data)
    directory["segments"] = [
        (read_head(data, version), read_place(data), read_place(data), data.number("I")) for _ in range(data.count())
    ]
    directory["keyframes"] = read_keyframes(data)
    directory["branches"] = [[data.varint() for _ in range(3)] for _ in range(data.count())]
    directory["marks"] = read_marks(data)
    directory["first"], directory["n_evicted"] = data.varint(), data.varint()
    return directory


class PlainSegment:
    """A segment whose image is ready to be read."""

    def __init__(self, head, image, stored):
        self.head, self.stored, self.start, self.n = head, stored, head["start"], head["n_events"]
        self.sections = {name: image[at : at + length] for name, (at, length, _) in head["sections"].items()}
        self.blocks = list(struct.iter_unpack("<IIII", self.sections["blocks"]))
        self.meta = dict(struct.iter_unpack("<HH", self.sections["meta"]))
        far = (word[0] for word in struct.iter_unpack("<Q", self.sections["cause_far"]))
        self.cause_far = {word & 0xFFFF: word >> 16 for word in far}
        self.actors = [n for (n,) in struct.iter_unpack("<I", self.sections["actors"])]
        self.tags = [n for (n,) in struct.iter_unpack("<I", self.sections["tags"])]
        self.calls = [n for (n,) in struct.iter_unpack("<Q", self.sections["calls"])]

    def packed(self, name, idx):
        width = self.head["sections"][name][2]
        bit = idx * width
        word = int.from_bytes(self.sections[name][bit // 8 : bit // 8 + 8], "little") >> bit % 8
        return word & ((1 << width) - 1)

    def blocked(self, base, starts, bits, idx):
        block = idx // BLOCK_EVENTS
        (smallest,) = struct.unpack_from("<q", self.sections[base], block * 8)
        (start,) = struct.unpack_from("<I", self.sections[starts], block * 4)
        at, width = start >> 8, start & 0xFF
        bit = idx % BLOCK_EVENTS * width
        word = int.from_bytes(self.sections[bits][at + bit // 8 : at + bit // 8 + 9], "little") >> bit % 8
        return smallest + (word & ((1 << width) - 1))

    def payload_end(self, number):
        return 0 if number == 0 else self.blocked("end_base", "end_starts", "end_bits", number - 1)

    def row(self, idx):
        distance = self.packed("cause", idx)
        if distance == (1 << self.head["sections"]["cause"][2]) - 1:
            distance = self.cause_far.get(idx, 0)
        return {
            "at_ns": self.blocked("time_min", "time_starts", "time_bits", idx),
            "kind": self.sections["kind"][idx],
            "class": self.packed("class", idx),
            "process": self.packed("process", idx) + 1,
            "peer": self.packed("peer", idx),
            "tag": self.packed("tag", idx),
            "call": self.packed("call", idx),
            "cause": distance,
            "payload": self.packed("payload", idx),
        }

    def rows(self):
        return (self.row(idx) for idx in range(self.n))


class ArchivedSegment:
    """A segment in archive form: streams of differences to what an event's cause lets expect."""

    def __init__(self, head, image, stored):
        self.head, self.stored, self.start, self.n = head, stored, head["start"], head["n_events"]
        (n_plain,) = struct.unpack_from("<I", image)
        plain = ZSTD.inflate(image[4:], n_plain)
        check(plain is not None, "an archive cannot be read without libzstd")
        data = Bytes(plain)
        self.streams = [data.plain() for _ in range(13)]
        ends = Bytes(self.streams[10])
        self.ends = [0]
        while not ends.is_empty():
            self.ends.append(self.ends[-1] + ends.varint())
        numbers = Bytes(self.streams[11])
        self.actors, self.tags, self.calls = (self.ascending(numbers) for _ in range(3))
        meta = Bytes(self.streams[9])
        self.meta = {}
        while not meta.is_empty():
            idx = meta.varint()
            self.meta[idx] = meta.varint()
        self.blocks = list(struct.iter_unpack("<IIII", Bytes(self.streams[12]).plain()))

    @staticmethod
    def ascending(data):
        values, before = [], 0
        for _ in range(data.count()):
            before += data.varint()
            values.append(before)
        return values

    def payload_end(self, number):
        return self.ends[number]

    @staticmethod
    def expected(kind, cause):
        process, peer, tag, call, of_class, payload = cause
        if kind in (RECEIVE, DOWN, TIMER_FIRE):
            return [peer, process, tag, call, of_class, payload]
        if kind == HANDLE_START:
            return [process, peer, tag, call, of_class, 0]
        if kind == REPLY:
            return [process, peer, tag, call, of_class, payload]
        return [process, peer, 0, 0, of_class, 0]

    def rows(self):
        streams = [Bytes(stream) for stream in self.streams]
        at_ns = n_seen = 0
        seen = []
        for idx in range(self.n):
            at_ns += streams[0].signed()
            kind, distance = streams[1].take(1)[0], streams[2].varint()
            expect = self.expected(kind, seen[idx - distance]) if 0 < distance <= idx else [None] * 6
            own = []
            for place in range(6):
                code = streams[3 + place].varint() - 1
                value = expect[place] if code < 0 else code
                if place == 5 and code >= 0:
                    # The next new payload, or how much older than the newest one.
                    value = 0 if code == 0 else n_seen + code // 2 + 1 if code % 2 else n_seen + 1 - code // 2
                if place == 5:
                    n_seen = max(n_seen, value)
                own.append(value)
            seen.append(own)
            process, peer, tag, call, of_class, payload = own
            yield {"at_ns": at_ns, "kind": kind, "class": of_class, "process": process, "peer": peer, "tag": tag,
                   "call": call, "cause": distance, "payload": payload}


class Payloads:
    """The payload stream of a segment, block by block."""

    def __init__(self, segment):
        self.segment, self.plain = segment, {}

    def block(self, number):
        if number not in self.plain:
            blocks = self.segment.blocks
            begin, stored_begin, length, checksum = blocks[number]
            n_stream = self.segment.payload_end(self.segment.head["n_payloads"])
            end = blocks[number + 1][0] if number + 1 < len(blocks) else n_stream
            stored = self.segment.stored[stored_begin : stored_begin + (length & 0x7FFFFFFF)]
            check(zlib.crc32(stored) == checksum, "a payload block is damaged")
            past = b"" if number == 0 else self.block(0)
            if length >> 31:
                self.plain[number] = stored
            else:
                self.plain[number] = None if past is None else ZSTD.inflate(stored, end - begin, past[:PAST_BYTES_MAX])
        return self.plain[number]

    def get(self, number):
        """Payload `number` in hexadecimal digits; None where it cannot be inflated here."""
        if number == 0:
            return ""
        begin, end = self.segment.payload_end(number - 1), self.segment.payload_end(number)
        block = max(n for n, entry in enumerate(self.segment.blocks) if entry[0] <= begin)
        plain = self.block(block)
        first = self.segment.blocks[block][0]
        return None if plain is None else plain[begin - first : end - first].hex()


def events(file, directory, form):
    for head, image, stored, checksum in directory["segments"]:
        image, stored = file[slice(*image)], file[slice(*stored)]
        check(zlib.crc32(image) == checksum, f"the segment of event {head['start']} is damaged")
        segment = (ArchivedSegment if form == 1 else PlainSegment)(head, image, stored)
        payloads = Payloads(segment)
        actor = lambda local: directory["actors"][segment.actors[local - 1]] if local else None
        for idx, row in enumerate(segment.rows()):
            seq = segment.start + idx
            yield {
                "seq": seq,
                "at_ns": row["at_ns"],
                "kind": KINDS.get(row["kind"], row["kind"]),
                "class": row["class"],
                "process": actor(row["process"]),
                "peer": actor(row["peer"]),
                "tag": directory["tags"][segment.tags[row["tag"] - 1]] if row["tag"] else None,
                "call": segment.calls[row["call"] - 1] if row["call"] else None,
                "cause": seq - row["cause"] if row["cause"] else None,
                "payload": payloads.get(row["payload"]),
                "meta": payloads.get(segment.meta.get(idx, 0)),
            }


def main():
    with open(sys.argv[1], "rb") as opened:
        file = opened.read()
    magic, version, form = struct.unpack_from("<8sII", file)
    check(magic == b"\x89CINEMA\n" and version in (2, 3) and form in (0, 1), "not a .cinema file, or a later version")
    directory = read_directory(file, version)
    for event in events(file, directory, form):
        print(json.dumps(event))
    for mark in directory["marks"]:
        print(json.dumps(mark))
    for parent, past, first in directory["branches"]:
        print(json.dumps({"branch": [parent, past, first]}))
    print(json.dumps({"keyframes": len(directory["keyframes"]), "info": directory["info"]}))


if __name__ == "__main__":
    main()
