import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;

/** Flyway's free edition on one folder: url, user, password, folder, command. */
public class Runner {
    public static void main(String[] args) {
        Flyway flyway = Flyway.configure()
                .dataSource(args[0], args[1], args[2])
                .locations("filesystem:" + args[3])
                .load();
        try {
            switch (args[4]) {
                case "migrate" -> System.out.println("executed " + flyway.migrate().migrationsExecuted);
                case "validate" -> flyway.validate();
                case "pending" -> System.out.println("pending " + flyway.info().pending().length);
                case "repair" -> flyway.repair();
                default -> throw new IllegalArgumentException(args[4]);
            }
        } catch (FlywayException error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }
}
