<?php
// PHP's mysqli and PDO, both over mysqlnd: text and prepared statements, unbuffered results, LOAD DATA LOCAL.
// Argument: mysqli, PDO, or emulated for PDO that puts parameters into the text.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$kind = $argv[1];

function plain($value) {
    if (is_array($value)) return array_map('plain', $value);
    return is_string($value) && !mb_check_utf8($value) ? 'bytes:' . bin2hex($value) : $value;
}

function mb_check_utf8(string $text): bool { return preg_match('//u', $text) === 1; }

function show(string $name, $value): void { echo $name, "\t", json_encode(plain($value), JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n"; }

function digest(array $rows): array {
    if (getenv('FULL') === '1') return $rows;
    return [count($rows), hash('sha256', json_encode(plain($rows), JSON_THROW_ON_ERROR)), $rows[0], end($rows)];
}

function parameter(string $text) {
    $value = substr($text, 2);
    switch ($text[0]) {
        case 'i': return (int) $value;
        case 'n': return null;
        default: return $value === 'MOBILE' ? getenv('MOBILE') : $value;
    }
}

class WithMysqli {
    private mysqli $db;

    function __construct(string $password, string $database) {
        $this->db = mysqli_init();
        $this->db->options(MYSQLI_OPT_LOCAL_INFILE, true);
        $this->db->real_connect(getenv('HOST'), getenv('DBUSER'), $password, $database, (int) getenv('PORT'));
        $this->db->set_charset('utf8mb4');
    }

    private function answer($result) {
        if (!$result instanceof mysqli_result) return $this->db->affected_rows;
        return [array_map(fn($f) => [$f->name, $f->type, $f->orgtable], $result->fetch_fields()), $result->fetch_all()];
    }

    private function executed(mysqli_stmt $statement, array $parameters) {
        $statement->execute($parameters);
        return $this->answer($statement->get_result());
    }

    function run(string $how, string $sql, array $parameters) {
        switch ($how) {
            case 'repeat':
                $statement = $this->db->prepare($sql);
                return array_map(fn($n) => $this->executed($statement, [$n]), range(1, 7));
            case 'bulk':
                return digest(iterator_to_array($this->rows($this->db->query($sql, MYSQLI_USE_RESULT))));
            case 'several':
                $this->db->multi_query($sql);
                $all = [];
                do $all[] = $this->answer($this->db->store_result()); while ($this->db->more_results() && $this->db->next_result());
                return $all;
            default:
                return $parameters ? $this->executed($this->db->prepare($sql), $parameters) : $this->answer($this->db->query($sql));
        }
    }

    private function rows(mysqli_result $result) {
        while ($row = $result->fetch_row()) yield $row;
    }
}

class WithPDO {
    private PDO $db;

    function __construct(string $password, string $database, bool $emulated) {
        $where = 'mysql:host=' . getenv('HOST') . ';port=' . getenv('PORT') . ";dbname=$database;charset=utf8mb4";
        $this->db = new PDO($where, getenv('DBUSER'), $password, [
            PDO::ATTR_EMULATE_PREPARES => $emulated, PDO::MYSQL_ATTR_LOCAL_INFILE => true, PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => true,
        ]);
    }

    private function answer(PDOStatement $statement) {
        if ($statement->columnCount() === 0) return $statement->rowCount();
        $columns = array_map(fn($i) => array_intersect_key($statement->getColumnMeta($i) ?: [], ['name' => 1, 'native_type' => 1, 'table' => 1]), range(0, $statement->columnCount() - 1));
        return [$columns, $statement->fetchAll(PDO::FETCH_NUM)];
    }

    private function executed(PDOStatement $statement, array $parameters) {
        foreach ($parameters as $i => $p) $statement->bindValue($i + 1, $p, is_int($p) ? PDO::PARAM_INT : ($p === null ? PDO::PARAM_NULL : PDO::PARAM_STR));
        $statement->execute();
        return $this->answer($statement);
    }

    function run(string $how, string $sql, array $parameters) {
        switch ($how) {
            case 'repeat':
                $statement = $this->db->prepare($sql);
                return array_map(fn($n) => $this->executed($statement, [$n]), range(1, 7));
            case 'bulk':
                $this->db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
                $statement = $this->db->query($sql);
                $rows = [];
                while ($row = $statement->fetch(PDO::FETCH_NUM)) $rows[] = $row;
                $this->db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
                return digest($rows);
            case 'several':
                $statement = $this->db->query($sql);
                $all = [];
                do $all[] = $this->answer($statement); while ($statement->nextRowset());
                return $all;
            default:
                return $parameters ? $this->executed($this->db->prepare($sql), $parameters) : $this->answer($this->db->query($sql));
        }
    }
}

function connect(?string $password = null, ?string $database = null) {
    global $kind;
    $password ??= getenv('DBPASSWORD');
    $database ??= getenv('DBNAME');
    return $kind === 'mysqli' ? new WithMysqli($password, $database) : new WithPDO($password, $database, $kind === 'emulated');
}

function attempt(string $name, callable $task): void {
    try {
        show($name, $task());
    } catch (mysqli_sql_exception | PDOException $e) {
        show($name, ['error', $e->getCode(), $e->getMessage()]);
    }
}

$db = connect();
foreach (file(getenv('STEPS'), FILE_IGNORE_NEW_LINES) as $line) {
    if ($line[0] === '#') continue;
    [$name, $how, $sql] = $fields = explode("\t", $line);
    $sql = str_replace('LOADFILE', getenv('LOADFILE'), $sql);
    attempt($name, fn() => $db->run($how, $sql, array_map('parameter', array_slice($fields, 3))));
}
attempt('wrong password', fn() => connect('wrong') && false);
attempt('no database', fn() => connect(null, 'nowhere') && false);
