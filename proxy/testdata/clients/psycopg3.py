# psycopg 3: parameters, prepared statements, server-side cursors, COPY, pipeline mode. Argument: text or binary.
import hashlib, os, re, sys, threading, time
import psycopg
from steps import digest, plain, show, steps

BINARY = sys.argv[1] == "binary"
DSN = os.environ["DSN"]


def failure(error):
    return ["error", error.sqlstate, str(error).split("\n")[0]]


def answer(cursor):
    if cursor.description is None:
        return cursor.statusmessage
    columns = [[c.name, c.type_code] for c in cursor.description]
    return [columns, [plain(r) for r in cursor.fetchall()]]


def run(conn, how, sql, parameters):
    sql = re.sub(r"\$\d", "%s", sql) if parameters or how == "repeat" else sql
    with conn.cursor(binary=BINARY) as cursor:
        if how in ("query", "error"):
            return answer(cursor.execute(sql, parameters or None))
        if how == "repeat":
            return [answer(cursor.execute(sql, (n,), prepare=True)) for n in range(1, 8)]
        if how == "copy":
            with cursor.copy(sql) as copy:
                return digest(b"".join(bytes(part) for part in copy).decode().splitlines())
    with conn.transaction(), conn.cursor("batches", binary=BINARY) as cursor:
        cursor.itersize = 333
        return digest(cursor.execute(sql))


def attempt(name, function):
    try:
        show(name, function())
    except psycopg.Error as error:
        show(name, failure(error))


def transaction(conn):
    try:
        with conn.transaction():
            conn.execute("CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)")
            with conn.cursor().copy("COPY scratch FROM STDIN") as copy:
                for n in range(5000):
                    copy.write_row((n, f"行 {n}\t\\"))
            found = conn.execute("SELECT count(*), max(v) FROM scratch").fetchone()
            conn.execute("INSERT INTO scratch VALUES (1, 'again')")
    except psycopg.Error as error:
        return [found, failure(error)[:2], conn.execute("SELECT to_regclass('scratch')").fetchone()]


def pipeline(conn):
    with conn.pipeline(), conn.cursor(binary=BINARY) as cursor:
        results = [conn.execute("SELECT id, mobile FROM customers WHERE id = %s", (n,)) for n in range(1, 6)]
        return [plain(r.fetchone()) for r in results]


def large(conn):
    body = conn.execute("SELECT repeat('0123456789', 500000)").fetchone()[0]
    length = conn.execute("SELECT length(%s::text)", ("é" * 1000000,)).fetchone()[0]
    return [len(body), hashlib.sha256(body.encode()).hexdigest(), length]


def notices(conn):
    heard = []
    conn.add_notice_handler(lambda n: heard.append([n.severity, n.sqlstate, n.message_primary]))
    conn.execute("DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'warned'; END $$")
    return heard


def notify(conn):
    heard = []
    conn.add_notify_handler(lambda n: heard.append([n.channel, n.payload]))
    conn.execute("LISTEN news")
    conn.execute("NOTIFY news, '消息'")
    return heard


def cancelled(conn):
    threading.Timer(0.3, conn.cancel).start()
    started = time.monotonic()
    try:
        conn.execute("SELECT pg_sleep(20)")
    except psycopg.Error as error:
        return [failure(error), time.monotonic() - started < 10, conn.execute("SELECT 'alive'").fetchone()]


def main():
    with psycopg.connect(DSN, autocommit=True) as conn:
        for name, how, sql, parameters in steps():
            attempt(name, lambda: run(conn, how, sql, parameters))
        for function in (transaction, pipeline, large, notices, notify, cancelled):
            attempt(function.__name__, lambda: function(conn))
    attempt("wrong password", lambda: psycopg.connect(DSN, password="wrong"))
    attempt("no database", lambda: psycopg.connect(DSN, dbname="nowhere"))


main()
