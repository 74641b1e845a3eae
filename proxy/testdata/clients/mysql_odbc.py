# MariaDB's ODBC driver, whose statements with parameters are prepared by the server.
import os
import pyodbc
from steps import digest, plain, show, steps

MULTI_STATEMENTS = 1 << 26  # of the driver's OPTION


def connect(password=os.environ["DBPASSWORD"], database=os.environ["DBNAME"]):
    parts = dict(DRIVER="MariaDB Unicode", SERVER=os.environ["HOST"], PORT=os.environ["PORT"], UID=os.environ["DBUSER"],
                 PWD=password, DATABASE=database, OPTION=MULTI_STATEMENTS, CHARSET="utf8mb4", PREPONCLIENT=0)
    return pyodbc.connect(";".join(f"{key}={value}" for key, value in parts.items()), autocommit=True)


def answer(cursor):
    if cursor.description is None:
        return cursor.rowcount
    return [[[c[0], c[1].__name__] for c in cursor.description], [plain(tuple(r)) for r in cursor.fetchall()]]


def run(conn, how, sql, parameters):
    with conn.cursor() as cursor:
        if how == "repeat":
            return [answer(cursor.execute(sql, n)) for n in range(1, 8)]
        cursor.execute(sql.replace("LOADFILE", os.environ["LOADFILE"]), *parameters)
        if how == "bulk":
            return digest([tuple(r) for r in cursor])
        results = [answer(cursor)]
        while cursor.nextset():
            results.append(answer(cursor))
        return results if how == "several" else results[0]


def attempt(name, function):
    try:
        show(name, function())
    except pyodbc.Error as error:
        show(name, ["error", *map(str, error.args)])


conn = connect()
for name, how, sql, parameters in steps():
    attempt(name, lambda: run(conn, how, sql, parameters))
attempt("tables", lambda: [plain(tuple(r)) for r in conn.cursor().tables(table="c%")])
attempt("columns", lambda: [plain(tuple(r)) for r in conn.cursor().columns(table="customers")])
conn.close()
attempt("wrong password", lambda: connect(password="wrong") and None)
attempt("no database", lambda: connect(database="nowhere") and None)
