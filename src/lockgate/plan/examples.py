"""One example for every kind of step, gate and check: the reference shows them, and the tests load each."""

from __future__ import annotations

PLAN_EXAMPLE = """\
plan: party-model
settings: {workers: 2, lock_timeout: 300ms}
phases:
  - id: setup
    steps:
      - sql: sql/party_tables.sql
    undo:
      - sql: DROP TABLE core.party_contacts
  - id: contacts
    title: Contacts of a party, one row each
    before:
      - soak: {since: setup, for: 24h}
    steps:
      - map: party_contacts
        into: core.party_contacts
        key: [party_id, contact_type, value]
        from: core.entity_emails
        select: sql/party_contacts.sql
    after:
      - reconcile: party_contacts
"""

# Kind -> an item of the list `steps`, `before` or `after`.
EXAMPLES = {
    "sql step": """\
- sql: sql/indexes.sql
  outside_transaction: true
""",
    "map step": """\
- map: party_contacts
  into: core.party_contacts
  key: [party_id, contact_type, value]
  from: core.entity_emails
  winner: [s.is_primary DESC, s.created_at]
  rejected:
    no usable address: "s.email IS NULL OR s.email !~ '@'"
  on_insert: {created_at: now()}
  select: |
    SELECT p.id AS party_id, 'email' AS contact_type, lower(btrim(s.email)) AS value, s.is_primary
    FROM core.entity_emails s
    JOIN core.entities e ON e.entity_id = s.entity_id
    JOIN core.parties p ON p.national_id = e.national_id
    WHERE s.email ~ '@'
""",
    "transform step": """\
- transform: party_names
  table: core.parties
  key: [id]
  from: core.parties
  select: SELECT p.id, btrim(p.full_name) AS full_name FROM core.parties p
""",
    "migrate step": """\
- migrate: 12
""",
    "normalise step": """\
- normalise: phones
  table: core.entity_phones
  key: [id]
  columns:
    phone_e164: {from: phone, as: e164, region: BR}
    state: {as: uf}
  on_unfit: keep
  unique: [entity_id, phone_e164]
""",
    "dedupe step": """\
- dedupe: core.entity_phones
  by: [entity_id, phone]
  keep: [created_at, id]
""",
    "index step": """\
- index: |
    CREATE UNIQUE INDEX uq_entity_phones ON core.entity_phones (entity_id, phone);
    CREATE INDEX idx_addresses_neighborhood ON core.addresses (lower(neighborhood));
  replaces: [core.entity_phones_entity_idx]
""",
    "constraint step": """\
- constraint: |
    ALTER TABLE core.entity_phones ADD CONSTRAINT uq_entity_phones UNIQUE (entity_id, phone);
    ALTER TABLE core.addresses
      ADD CONSTRAINT chk_zip_code CHECK (zip_code ~ '^[0-9]{8}$'),
      ALTER COLUMN city SET NOT NULL;
    ALTER TABLE core.properties ADD CONSTRAINT fk_type FOREIGN KEY (type) REFERENCES ref.property_types (code);
  skip_missing: {fk_type: the types are not collected yet}
""",
    "copy step": """\
- copy: old_service
  from: OLD_DATABASE_URL
  tables: [public.companies, public.clients, public.bookings, public.messages]
  named: {public.clients: crm.customers}
  triggers: off
  passes: 3
  until: passes
  back: OLD_DATABASE_WRITER_URL
""",
    "analyze step": """\
- analyze: [core.parties, core.party_contacts]
""",
    "measure step": """\
- measure: contacts_of_a_party
  before: SELECT email FROM core.entity_emails WHERE entity_id = %(entity)s
  after: SELECT value FROM core.party_contacts WHERE party_id = %(party)s
  parameters: SELECT entity, party FROM core.sample_parties
  same_rows: false
""",
    "cutover step": """\
- cutover: to_parties
  old: [core.entities, core.entity_emails]
  switch: UPDATE core.settings SET model = 'parties'
  switch_back: UPDATE core.settings SET model = 'entities'
  back:
    - map: entities_back
      into: core.entities
      key: [entity_id]
      from: core.parties
      select: SELECT p.id AS entity_id, p.national_id, p.full_name AS name FROM core.parties p
""",
    "partition step": """\
- partition: messages_by_month
  table: core.messages
  by: created_at
  interval: month
  primary_key: [id, created_at]
""",
    "rewrite step": """\
- rewrite: entities
  table: core.entities
""",
    "close step": """\
- close: to_parties
""",
    "archive step": """\
- archive: [core.entity_emails, core.entity_phones]
  retain: 90d
  why: The contacts of parties took their place
  replacement: core.party_contacts
  tombstone: true
  views:
    core.entity_emails:
      select: |
        SELECT p.entity_id, c.value::varchar(200) AS email
        FROM core.party_contacts c JOIN core.parties p ON p.id = c.party_id WHERE c.contact_type = 'email'
      insert: |
        INSERT INTO core.party_contacts (party_id, contact_type, value)
        SELECT p.id, 'email', lower(btrim(NEW.email)) FROM core.parties p WHERE p.entity_id = NEW.entity_id
      delete: core.forget_email
  purpose: Answering claims of customers
  basis: Art. 17(3)(e) GDPR, legal claims
""",
    "drop step": """\
- drop: [core.entity_emails, core.entity_phones]
  with: [view core.contacts_of_before]
""",
    "query gate": """\
- query: SELECT count(*) FROM core.entities WHERE national_id IS NULL
  at_most: 100
  title: Few entities have no national id
""",
    "soak gate": """\
- soak: {since: setup, for: 30d}
""",
    "approval gate": """\
- approval: {by: 2}
""",
    "command gate": """\
- command: [./monitoring.sh, --errors-of, core.entity_emails, --for, 30d]
  within: 1m
  title: No error in the application's logs names the old table
""",
    "checked gate": """\
- checked: {fail_on: medium}
""",
    "rehearsed gate": """\
- rehearsed: {within: 7d}
""",
    "backup gate": """\
- backup: {within: 24h, tables: [core.entity_*, core.parties]}
""",
    "unwritten gate": """\
- unwritten: {tables: [core.entity_*, core.parties], for: 1d}
""",
    "unused gate": """\
- unused:
    tables: [core.entity_emails, core.entity_phones]
    for: 30d
    replicas: [REPORTS_URL]
    code: [../service, ../reports]
    allow: [reporting.contacts_of_before]
""",
    "query check": """\
- query: SELECT count(*) FROM core.party_contacts WHERE is_primary
  equals: SELECT count(*) FROM core.entity_emails WHERE is_primary
""",
    "objects check": """\
- objects:
    extensions: [pg_trgm]
    enums: {core.contact_type: [email, phone]}
    tables: [core.party_contacts]
    columns: {core.party_contacts.value: text not null}
    indexes: [core.party_contacts_value_idx]
    foreign_keys:
      core.party_contacts.party_id: {references: core.parties, on_delete: cascade}
    fires:
      core.parties.touch: UPDATE core.parties SET full_name = full_name
    calls:
      core.normalised('8 (900) 123-45-67'): '79001234567'
    partitions:
      core.messages: {every: month, ahead: 5, named: messages_%Y_%m}
    at_least: {core: {indexes: 60}}
    sound: {schemas: [core], redundant: [core.parties_name_idx]}
    absent: [core.old_contacts]
""",
    "reconcile check": """\
- reconcile: party_contacts
""",
    "explain check": """\
- explain: SELECT * FROM core.messages WHERE phone = '79001234567' AND created_at >= '2026-09-01'
  uses_index: messages_phone_idx
  no_seq_scan: [core.messages]
  partitions_at_most: {core.messages: 6}
  at_most: 50ms
""",
}
