# asyncpg: binary results throughout, prepared statements, cursors, COPY.
import asyncio, hashlib, io, os
import asyncpg
from steps import digest, plain, show, steps

DSN = os.environ["DSN"]


def failure(error):
    return ["error", getattr(error, "sqlstate", None), str(error).split("\n")[0]]


def record(row):
    return [plain(v) for v in row.values()]


async def run(conn, how, sql, parameters):
    if how in ("query", "error"):
        prepared = await conn.prepare(sql)
        columns = [[a.name, a.type.oid] for a in prepared.get_attributes()]
        return [columns, [record(r) for r in await prepared.fetch(*parameters)]]
    if how == "repeat":
        prepared = await conn.prepare(sql)
        return [[record(r) for r in await prepared.fetch(n)] for n in range(1, 8)]
    if how == "copy":
        out = io.BytesIO()
        inner = sql.split(" TO STDOUT")[0].removeprefix("COPY ")
        options = {"format": "csv", "header": True} if "csv" in sql else {}
        if inner.startswith("("):
            await conn.copy_from_query(inner[1:-1], output=out, **options)
        else:
            table, columns = inner.rstrip(")").split(" (")
            await conn.copy_from_table(table, columns=columns.split(", "), output=out, **options)
        return digest(out.getvalue().decode().splitlines())
    async with conn.transaction():
        return digest([list(r.values()) async for r in conn.cursor(sql, prefetch=333)])


async def attempt(name, task):
    try:
        show(name, await task)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        show(name, failure(error))


async def transaction(conn):
    try:
        async with conn.transaction():
            await conn.execute("CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)")
            await conn.copy_records_to_table("scratch", records=[(n, f"行 {n}") for n in range(5000)])
            found = record(await conn.fetchrow("SELECT count(*), max(v) FROM scratch"))
            await conn.executemany("INSERT INTO scratch VALUES ($1, $2)", [(n, "more") for n in range(5000, 5010)])
            await conn.execute("INSERT INTO scratch VALUES (1, 'again')")
    except asyncpg.PostgresError as error:
        return [found, failure(error)[:2], await conn.fetchval("SELECT to_regclass('scratch')::text")]


async def large(conn):
    body = await conn.fetchval("SELECT repeat('0123456789', 500000)")
    return [len(body), hashlib.sha256(body.encode()).hexdigest(), await conn.fetchval("SELECT length($1::text)", "é" * 1000000)]


async def simple(conn):
    return await conn.execute("SELECT 1; SELECT mobile FROM customers WHERE id < 3; SELECT 2")


async def timed_out(conn):
    try:
        await conn.fetch("SELECT pg_sleep(20)", timeout=0.5)
    except asyncio.TimeoutError:
        return ["cancelled", await conn.fetchval("SELECT 'alive'")]


async def notify(conn):
    heard = asyncio.get_running_loop().create_future()
    await conn.add_listener("news", lambda _c, _pid, channel, payload: heard.set_result([channel, payload]))
    await conn.execute("NOTIFY news, '消息'")
    return await asyncio.wait_for(heard, 5)


async def pool():
    async with asyncpg.create_pool(DSN, min_size=2, max_size=4) as connections:
        rows = await asyncio.gather(*(connections.fetch("SELECT id, mobile FROM customers WHERE id = $1", n % 5 + 1) for n in range(20)))
    return [record(r[0]) for r in rows]


async def connect(**changed):
    conn = await asyncpg.connect(DSN, **changed)
    await conn.close()


async def main():
    conn = await asyncpg.connect(DSN)
    for name, how, sql, parameters in steps():
        await attempt(name, run(conn, how, sql, parameters))
    for function in (transaction, large, simple, timed_out, notify):
        await attempt(function.__name__, function(conn))
    await conn.close()
    await attempt("pool", pool())
    await attempt("wrong password", connect(password="wrong"))
    await attempt("no database", connect(database="nowhere"))


asyncio.run(main())
