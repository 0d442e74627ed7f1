-- name: create_table
CREATE TABLE {table} (
    "installed_rank" INT NOT NULL,
    "version" VARCHAR(50),
    "description" VARCHAR(200) NOT NULL,
    "type" VARCHAR(20) NOT NULL,
    "script" VARCHAR(1000) NOT NULL,
    "checksum" INTEGER,
    "installed_by" VARCHAR(100) NOT NULL,
    "installed_on" TIMESTAMP NOT NULL DEFAULT now(),
    "execution_time" INTEGER NOT NULL,
    "success" BOOLEAN NOT NULL
)

-- name: create_key
ALTER TABLE {table} ADD CONSTRAINT {key} PRIMARY KEY ("installed_rank")

-- name: create_index
CREATE INDEX {index} ON {table} ("success")

-- name: record
INSERT INTO {table}
    (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
SELECT coalesce(max(installed_rank), 0) + 1, %(version)s, %(description)s, 'SQL', %(script)s, %(checksum)s,
       session_user, %(milliseconds)s, %(success)s
FROM {table}
