# PyMySQL and mysqlclient, which have one interface: results as a whole and row by row, several results,
# LOAD DATA LOCAL. Argument: the module.
import importlib, os, sys
from steps import digest, plain, show, steps

db = importlib.import_module(sys.argv[1])
stream = importlib.import_module(sys.argv[1] + ".cursors").SSCursor
multiple = importlib.import_module(sys.argv[1] + ".constants.CLIENT").MULTI_STATEMENTS
WHERE = dict(host=os.environ["HOST"], port=int(os.environ["PORT"]), user=os.environ["DBUSER"], charset="utf8mb4")


def connect(password=os.environ["DBPASSWORD"], database=os.environ["DBNAME"]):
    return db.connect(password=password, database=database, local_infile=True, client_flag=multiple, **WHERE)


def answer(cursor):
    if cursor.description is None:
        return cursor.rowcount
    return [[c[:2] for c in cursor.description], [plain(r) for r in cursor.fetchall()]]


def run(conn, how, sql, parameters):
    if how == "bulk":
        with conn.cursor(stream) as cursor:
            cursor.execute(sql)
            return digest(list(cursor))
    with conn.cursor() as cursor:
        if how == "repeat":
            return [cursor.execute(sql.replace("?", "%s"), (n,)) and answer(cursor) for n in range(1, 8)]
        if parameters:
            sql = sql.replace("?", "%s")
        cursor.execute(sql.replace("LOADFILE", os.environ["LOADFILE"]), parameters or None)
        results = [answer(cursor)]
        while cursor.nextset():
            results.append(answer(cursor))
        return results if how == "several" else results[0]


def attempt(name, function):
    try:
        show(name, function())
    except db.Error as error:
        show(name, ["error", *map(str, error.args)])


conn = connect()
for name, how, sql, parameters in steps():
    attempt(name, lambda: run(conn, how, sql, parameters))
attempt("ping", conn.ping)
conn.close()
attempt("wrong password", lambda: connect(password="wrong"))
attempt("no database", lambda: connect(database="nowhere"))
