# The questions of `cinema bench store` to other stores: peers.py PEER FOLDER ROUNDS. The rows are columns in FOLDER; what is
# asked for and how is in FOLDER/ask.json. Prints a JSON object per question: CPU seconds of this process per round, the
# answer, and bytes of the file for what makes one. PEER is duckdb, parquet (DuckDB reading a Parquet file) or sqlite.
import json, os, sys, time

peer, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
ask = json.load(open(f"{folder}/ask.json"))
path = f"{folder}/{peer}"
n = ask["n"]
COLUMNS = ["at_ns", "kind", "class", "process", "peer", "tag", "call", "cause", "payload", "meta"]
TYPES = ["bigint", "utinyint", "utinyint", "uinteger", "uinteger", "uinteger", "ubigint", "bigint", "blob", "blob"]


def say(question, seconds, answer=0, n_bytes=0):
    print(json.dumps({"question": question, "seconds": seconds, "answer": answer, "bytes": n_bytes}), flush=True)


def timed(work):
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


def repeat(question, work, times=rounds):
    done = [timed(work) for _ in range(times)]
    say(question, [took for took, _ in done], done[-1][1])


def fresh():
    for name in [path, f"{path}.wal", f"{path}-journal"]:
        if os.path.exists(name):
            os.remove(name)


def arrow_table():
    import numpy, pyarrow

    def column(name, dtype, none=None):
        values = numpy.fromfile(f"{folder}/{name}", dtype)
        return pyarrow.array(values, mask=None if none is None else values == none)

    def blobs(name):
        ends = numpy.fromfile(f"{folder}/{name}.ends", "<i8")
        buffers = [pyarrow.py_buffer(part) for part in [ends, numpy.fromfile(f"{folder}/{name}", "u1")]]
        whole = pyarrow.LargeBinaryArray.from_buffers(pyarrow.large_binary(), n, [None] + buffers)
        return pyarrow.compute.if_else(pyarrow.array(ends[1:] > ends[:-1]), whole, None)

    import pyarrow.compute
    columns = {"seq": pyarrow.array(numpy.arange(n, dtype="<i8"))}
    for name, dtype, none in [("at_ns", "<i8", None), ("kind", "u1", None), ("class", "u1", None), ("process", "<u4", None),
                              ("peer", "<u4", 0), ("tag", "<u4", 0), ("call", "<u8", 0), ("cause", "<i8", -1)]:
        columns[name] = column(name, dtype, none)
    return pyarrow.table({**columns, "payload": blobs("payload"), "meta": blobs("meta")})


SEND, RECEIVE = ask["send"], ask["receive"]
WAIT = "select count(*), avg(e.at_ns - s.at_ns), max(e.at_ns - s.at_ns) from event s join event e on "
QUESTIONS = [
    ("count_kind", f"select count(*) from event where kind = {RECEIVE}"),
    ("count_where", f"select count(*) from event where kind in ({SEND}, {RECEIVE}) and length(payload) >= 100"),
    ("count_process", f"select count(*) from event where process = {ask['process']}"),
    ("read_process", f"select count(*), max(at_ns) from event where process = {ask['process']}"),
    ("group_process", "select count(*) from (select process, count(*) c from event group by process)"),
    ("group_pair", "select count(*) from (select process, peer, count(*) c from event group by process, peer)"),
    ("join_call", WAIT + f"s.call = e.call where s.kind = {SEND} and s.class = {ask['call']} and e.kind = {RECEIVE} and e.class = {ask['reply']}"),
    ("join_cause", WAIT + f"s.seq = e.cause where e.kind = {RECEIVE}"),
]


def questions(db, reopen, lengths):
    if peer != "sqlite":
        db.execute("set enable_progress_bar = false")
    for question, sql in QUESTIONS:
        repeat(question, lambda: db.execute(sql.replace("length", lengths)).fetchone()[0])
    seek = "select payload from event where at_ns >= ? and payload is not null order by at_ns, seq limit "
    n_seeks = len(ask["times"])
    for question, limit in [("seek_payload", 1), ("seek_100", 100)]:
        once = lambda: sum(len(row[0]) for at_ns in ask["times"] for row in db.execute(seek + str(limit), [at_ns]).fetchall())
        took, answer = timed(once)
        say(question, [took / n_seeks], answer)
    fetch = "select payload from event where seq = ?"
    once = lambda: sum(len(row[0] or b"") for seq in ask["seqs"] for row in db.execute(fetch, [seq]).fetchall())
    took, answer = timed(once)
    say("fetch_payload", [took / len(ask["seqs"])], answer)
    db.close()
    repeat("reopen", reopen)


if peer == "sqlite":
    import pyarrow, sqlite3
    table = arrow_table()
    # SQLite's integers are signed: the bits of call keys stay.
    signed = pyarrow.compute.cast(table["call"], pyarrow.int64(), safe=False)
    table = table.set_column(table.schema.get_field_index("call"), "call", signed)
    rows = list(zip(*(column.to_pylist() for column in table.columns)))
    del table

    def insert():
        fresh()
        db = sqlite3.connect(path)
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("create table event(seq integer primary key, " + ", ".join(COLUMNS) + ")")
        db.executemany("insert into event values (" + ",".join("?" * 11) + ")", rows)
        db.commit()
        db.close()

    took = [timed(insert)[0] for _ in range(min(rounds, 3))]
    del rows
    db = sqlite3.connect(path)
    for column in ["process", "at_ns", "call"]:
        db.execute(f"create index of_{column} on event({column})")
    db.commit()
    say("append", took, 0, os.path.getsize(path))

    def reopen():
        db = sqlite3.connect(path)
        found = db.execute("select at_ns from event limit 1").fetchone()
        db.close()
        return len(found)

    questions(db, reopen, "length")
else:
    import duckdb, pyarrow.parquet
    table = arrow_table()
    one = {"threads": 1}
    if peer == "duckdb":
        def insert():
            fresh()
            db = duckdb.connect(path, config=one)
            db.execute("create table event(seq bigint, " + ", ".join(map(" ".join, zip(COLUMNS, TYPES))) + ")")
            db.register("rows", table)
            took, _ = timed(lambda: (db.execute("insert into event select * from rows"), db.execute("checkpoint")))
            db.close()
            return took

        took = [insert() for _ in range(rounds)]
        say("append", took, 0, os.path.getsize(path))
        connect = lambda: duckdb.connect(path, config=one)
    else:
        pyarrow.set_cpu_count(1)
        write = lambda: pyarrow.parquet.write_table(table, path, compression="zstd", compression_level=1)
        took = [timed(write)[0] for _ in range(rounds)]
        say("append", took, 0, os.path.getsize(path))
        delta = ["seq", "at_ns", "call", "cause"]
        few = ["kind", "class", "process", "peer", "tag", "payload", "meta"]
        encoding = dict.fromkeys(delta, "DELTA_BINARY_PACKED")
        small = lambda: pyarrow.parquet.write_table(table, f"{path}.small", compression="zstd", compression_level=12,
                                                    use_dictionary=few, column_encoding=encoding, row_group_size=1 << 20,
                                                    dictionary_pagesize_limit=64 << 20, data_page_size=8 << 20)
        say("archive", [timed(small)[0]], 0, os.path.getsize(f"{path}.small"))

        def connect():
            db = duckdb.connect(config=one)
            db.execute(f"create view event as select * from read_parquet('{path}')")
            return db

    del table

    def reopen():
        db = connect()
        found = db.execute("select at_ns from event limit 1").fetchone()
        db.close()
        return len(found)

    questions(connect(), reopen, "octet_length")
