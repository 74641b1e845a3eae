import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.util.*;

/** MariaDB's JDBC driver: statements of the text protocol or prepared by the server, fetch size, several results, LOAD DATA LOCAL, batches. */
public class MySQLSteps {
  static Object answer(Statement statement, boolean result) throws SQLException {
    return result ? Steps.answer(statement.getResultSet()) : statement.getUpdateCount();
  }

  static Object answers(Statement statement, boolean result) throws SQLException {
    List<Object> all = new ArrayList<>();
    for (; result || statement.getUpdateCount() != -1; result = statement.getMoreResults()) all.add(answer(statement, result));
    return all;
  }

  static Object run(Connection connection, String how, String sql, List<String> parameters) throws Exception {
    switch (how) {
      case "repeat":
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          List<Object> all = new ArrayList<>();
          for (int n = 1; n < 8; n++) {
            statement.setInt(1, n);
            all.add(Steps.answer(statement.executeQuery()));
          }
          return all;
        }
      case "bulk":
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          statement.setFetchSize(333);
          return Steps.digest(Steps.rows(statement.executeQuery()));
        }
      case "several":
        try (Statement statement = connection.createStatement()) {
          return answers(statement, statement.execute(sql));
        }
      case "load":
        sql = sql.replace("LOADFILE", System.getenv("LOADFILE"));
      default:
        if (parameters.isEmpty())
          try (Statement statement = connection.createStatement()) {
            return answer(statement, statement.execute(sql));
          }
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          for (int i = 0; i < parameters.size(); i++) Steps.set(statement, i + 1, parameters.get(i));
          return answer(statement, statement.execute());
        }
    }
  }

  static Object batch(Connection connection) throws Exception {
    List<Object> seen = new ArrayList<>();
    connection.setAutoCommit(false);
    try (PreparedStatement insert = connection.prepareStatement("INSERT INTO scratch VALUES (?, ?)")) {
      for (int n = 200000; n < 200050; n++) {
        insert.setInt(1, n);
        insert.setString(2, n % 7 == 0 ? null : "batch " + n);
        insert.addBatch();
      }
      seen.add(insert.executeBatch().length);
      seen.add(Steps.answer(connection.createStatement().executeQuery("SELECT count(*), count(v), max(v) FROM scratch WHERE id >= 200000")));
    } finally {
      connection.rollback();
      connection.setAutoCommit(true);
    }
    return seen;
  }

  static Object called(Connection connection) throws Exception {
    try (CallableStatement call = connection.prepareCall("{CALL sizes(?, ?)}")) {
      call.setInt(1, 2);
      call.registerOutParameter(2, Types.INTEGER);
      return List.of(answers(call, call.execute()), call.getInt(2));
    }
  }

  static Object cancelled(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.setQueryTimeout(1);
      try {
        statement.execute("SELECT SLEEP(20)");
        return "not cancelled";
      } catch (SQLException e) {
        return List.of(e.getSQLState(), Steps.answer(connection.createStatement().executeQuery("SELECT 'alive' AS it")));
      }
    }
  }

  static Object metadata(Connection connection) throws Exception {
    List<Object> seen = new ArrayList<>();
    DatabaseMetaData meta = connection.getMetaData();
    seen.add(Steps.rows(meta.getTables("crm", null, "c%", new String[] {"TABLE", "VIEW"})));
    seen.add(Steps.rows(meta.getPrimaryKeys("crm", null, "customers")));
    seen.add(Steps.rows(meta.getImportedKeys("crm", null, "orders")));
    ResultSet columns = meta.getColumns("crm", null, "customers", "%");
    while (columns.next()) seen.add(List.of(columns.getString("COLUMN_NAME"), columns.getString("TYPE_NAME"), columns.getInt("COLUMN_SIZE")));
    return seen;
  }

  public static void main(String[] args) throws Exception {
    try (Connection connection = DriverManager.getConnection(Steps.URL)) {
      for (String line : Files.readAllLines(Path.of(System.getenv("STEPS")))) {
        if (line.startsWith("#")) continue;
        List<String> fields = Arrays.asList(line.split("\t"));
        Steps.attempt(fields.get(0), () -> run(connection, fields.get(1), fields.get(2), fields.subList(3, fields.size())));
      }
      Steps.attempt("batch", () -> batch(connection));
      Steps.attempt("called", () -> called(connection));
      Steps.attempt("cancelled", () -> cancelled(connection));
      Steps.attempt("metadata", () -> metadata(connection));
    }
    Steps.attempt("wrong password", () -> DriverManager.getConnection(Steps.URL.replaceAll("password=[^&]*", "password=wrong")));
    Steps.attempt("no database", () -> DriverManager.getConnection(Steps.URL.replaceAll("/crm", "/nowhere")));
  }
}
