# What the Python clients share: the steps, and one line of output per step.
import hashlib, json, os

FULL = os.environ.get("FULL") == "1"  # print every row, so that they can be searched for raw values


def steps():
    for line in open(os.environ["STEPS"], encoding="utf-8"):
        if line.startswith("#"):
            continue
        name, how, sql, *parameters = line.rstrip("\n").split("\t")
        yield name, how, sql, [parameter(p) for p in parameters]


def parameter(text):
    kind, value = text.split(":", 1)
    if kind == "t" and value == "MOBILE":
        return os.environ["MOBILE"]
    return {"i": int, "t": str, "n": lambda _: None}[kind](value)


def plain(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes:" + bytes(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, str, dict)):
        return value
    return f"{type(value).__name__}:{value}"


def show(name, value):
    print(name + "\t" + json.dumps(value, ensure_ascii=False), flush=True)


def digest(rows):
    rows = [plain(r) for r in rows]
    if FULL:
        return rows
    text = json.dumps(rows, ensure_ascii=False)
    return [len(rows), hashlib.sha256(text.encode()).hexdigest(), rows[:1], rows[-1:]]
