import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

/** JDBC: simple and extended queries, server-prepared statements, binary results, fetch size, COPY, batches. */
public class Steps {
  static final String URL = System.getenv("JDBC");
  static final boolean FULL = "1".equals(System.getenv("FULL"));

  interface Task {
    Object run() throws Exception;
  }

  static void attempt(String name, Task task) throws Exception {
    Object value;
    try {
      value = task.run();
    } catch (SQLException e) {
      value = List.of("error", String.valueOf(e.getSQLState()), e.getMessage().replaceAll("\\(conn=\\d+\\) |\\(port=\\d+\\)", ""));
    }
    System.out.println(name + "\t" + text(value));
  }

  static String text(Object value) throws Exception {
    if (value instanceof List<?> list) {
      StringJoiner joined = new StringJoiner(", ", "[", "]");
      for (Object element : list) joined.add(text(element));
      return joined.toString();
    }
    if (value instanceof byte[] bytes) return "bytes:" + HexFormat.of().formatHex(bytes);
    if (value instanceof java.sql.Array array) return text(Arrays.asList((Object[]) array.getArray()));
    return value instanceof String ? (String) value : value == null ? "null" : value.getClass().getSimpleName() + ":" + value;
  }

  static List<Object> rows(ResultSet result) throws SQLException {
    List<Object> rows = new ArrayList<>();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (int i = 1; i <= columns; i++) row.add(result.getObject(i));
      rows.add(row);
    }
    return rows;
  }

  static Object answer(ResultSet result) throws SQLException {
    ResultSetMetaData meta = result.getMetaData();
    List<Object> columns = new ArrayList<>();
    for (int i = 1; i <= meta.getColumnCount(); i++)
      columns.add(List.of(meta.getColumnLabel(i), meta.getColumnTypeName(i), meta.getTableName(i), meta.getPrecision(i)));
    return List.of(columns, rows(result));
  }

  static Object digest(List<?> rows) throws Exception {
    if (FULL) return rows;
    byte[] sum = MessageDigest.getInstance("SHA-256").digest(text(rows).getBytes(StandardCharsets.UTF_8));
    return List.of(rows.size(), HexFormat.of().formatHex(sum), rows.isEmpty() ? "" : rows.get(0), rows.isEmpty() ? "" : rows.get(rows.size() - 1));
  }

  static void set(PreparedStatement statement, int i, String parameter) throws SQLException {
    String value = parameter.substring(2);
    switch (parameter.charAt(0)) {
      case 'i' -> statement.setInt(i, Integer.parseInt(value));
      case 'n' -> statement.setNull(i, Types.VARCHAR);
      default -> statement.setString(i, value.equals("MOBILE") ? System.getenv("MOBILE") : value);
    }
  }

  static Object run(Connection connection, String how, String sql, List<String> parameters) throws Exception {
    String marked = sql.replaceAll("\\$\\d", "?");
    switch (how) {
      case "repeat":
        try (PreparedStatement statement = connection.prepareStatement(marked)) {
          List<Object> all = new ArrayList<>();
          for (int n = 1; n < 8; n++) {
            statement.setInt(1, n);
            all.add(answer(statement.executeQuery()));
          }
          return all;
        }
      case "bulk":
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
          statement.setFetchSize(333);
          return digest(rows(statement.executeQuery(sql)));
        } finally {
          connection.setAutoCommit(true);
        }
      case "copy":
        java.io.StringWriter out = new java.io.StringWriter();
        connection.unwrap(PGConnection.class).getCopyAPI().copyOut(sql, out);
        return digest(Arrays.asList(out.toString().split("\n")));
      default:
        if (parameters.isEmpty())
          try (Statement statement = connection.createStatement()) {
            return answer(statement.executeQuery(sql));
          }
        try (PreparedStatement statement = connection.prepareStatement(marked)) {
          for (int i = 0; i < parameters.size(); i++) set(statement, i + 1, parameters.get(i));
          return answer(statement.executeQuery());
        }
    }
  }

  static Object transaction(Connection connection) throws Exception {
    List<Object> seen = new ArrayList<>();
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.execute("CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)");
      StringBuilder lines = new StringBuilder();
      for (int n = 0; n < 5000; n++) lines.append(n).append("\t行 ").append(n).append('\n');
      seen.add(connection.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY scratch FROM STDIN", new StringReader(lines.toString())));
      try (PreparedStatement insert = connection.prepareStatement("INSERT INTO scratch VALUES (?, ?)")) {
        for (int n = 5000; n < 5050; n++) {
          insert.setInt(1, n);
          insert.setString(2, "batch");
          insert.addBatch();
        }
        seen.add(Arrays.stream(insert.executeBatch()).sum());
      }
      seen.add(answer(statement.executeQuery("SELECT count(*), max(v) FROM scratch")));
      Savepoint here = connection.setSavepoint();
      for (String sql : List.of("INSERT INTO scratch VALUES (1, 'again')", "SELECT 1"))
        try {
          statement.execute(sql);
        } catch (SQLException e) {
          seen.add(e.getSQLState());
        }
      connection.rollback(here);
      seen.add(answer(statement.executeQuery("SELECT count(*) FROM scratch")));
    } finally {
      connection.rollback();
      connection.setAutoCommit(true);
    }
    return seen;
  }

  static Object several(Connection connection) throws Exception {
    List<Object> all = new ArrayList<>();
    try (Statement statement = connection.createStatement()) {
      boolean more = statement.execute("SELECT 1 AS a; SELECT id, mobile FROM customers WHERE id < 3 ORDER BY id; SELECT 2 AS b");
      for (; more; more = statement.getMoreResults()) all.add(answer(statement.getResultSet()));
    }
    return all;
  }

  static Object cancelled(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      try {
        statement.execute("SELECT pg_sleep(20)");
        return "not cancelled";
      } catch (SQLException e) {
        return List.of(e.getSQLState(), answer(connection.createStatement().executeQuery("SELECT 'alive' AS it")));
      }
    }
  }

  static Object metadata(Connection connection) throws Exception {
    List<Object> seen = new ArrayList<>();
    DatabaseMetaData meta = connection.getMetaData();
    seen.add(rows(meta.getTables(null, "public", "c%", new String[] {"TABLE", "VIEW"})));
    seen.add(rows(meta.getPrimaryKeys(null, "public", "customers")));
    seen.add(rows(meta.getImportedKeys(null, "public", "orders")));
    ResultSet columns = meta.getColumns(null, "public", "customers", "%");
    while (columns.next()) seen.add(List.of(columns.getString("COLUMN_NAME"), columns.getString("TYPE_NAME"), columns.getInt("COLUMN_SIZE")));
    return seen;
  }

  public static void main(String[] args) throws Exception {
    try (Connection connection = DriverManager.getConnection(URL)) {
      for (String line : Files.readAllLines(Path.of(System.getenv("STEPS")))) {
        if (line.startsWith("#")) continue;
        List<String> fields = Arrays.asList(line.split("\t"));
        attempt(fields.get(0), () -> run(connection, fields.get(1), fields.get(2), fields.subList(3, fields.size())));
      }
      attempt("transaction", () -> transaction(connection));
      attempt("several", () -> several(connection));
      attempt("cancelled", () -> cancelled(connection));
      attempt("metadata", () -> metadata(connection));
    }
    attempt("wrong password", () -> DriverManager.getConnection(URL.replaceAll("password=[^&]*", "password=wrong")));
    attempt("no database", () -> DriverManager.getConnection(URL.replaceAll("/crm", "/nowhere")));
  }
}
