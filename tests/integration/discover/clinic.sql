-- A clinic in Brazil with keys of uuid, in a schema of its own and names in two schemas.
CREATE SCHEMA clinic;
CREATE SCHEMA ref;
CREATE FUNCTION clinic.cpf(n int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE d text := (100000000 + n * 7919)::text; s int; r int;
BEGIN
    FOR k IN 0..1 LOOP
        s := 0;
        FOR i IN 1..length(d) LOOP s := s + substr(d, i, 1)::int * (length(d) + 2 - i); END LOOP;
        r := s * 10 % 11 % 10;
        d := d || r::text;
    END LOOP;
    RETURN d;
END $$;

CREATE TABLE ref.relationship_types (code text PRIMARY KEY, label text NOT NULL);
INSERT INTO ref.relationship_types SELECT 'rel' || n, 'Relation ' || n FROM generate_series(1, 6) n;

CREATE TABLE clinic.patients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), cpf text UNIQUE, full_name text NOT NULL, birth_date text, state text,
    zip_code text, national_registry text, created_at timestamptz NOT NULL);
INSERT INTO clinic.patients (cpf, full_name, birth_date, state, zip_code, created_at)
SELECT clinic.cpf(n), 'Patient ' || n, to_char('1950-01-01'::date + n * 7, 'YYYY-MM-DD'),
       (ARRAY['SP', 'RJ', 'MG', 'BA'])[1 + n % 4], lpad((n * 1013 % 99999999)::text, 8, '0'),
       '2021-01-01'::timestamptz + n * interval '3 hours'
FROM generate_series(1, 1500) n;
UPDATE clinic.patients SET cpf = overlay(cpf PLACING 'x' FROM 1) WHERE full_name IN ('Patient 3', 'Patient 4', 'Patient 5');
UPDATE clinic.patients SET state = lower(state) WHERE full_name LIKE 'Patient 12_';
UPDATE clinic.patients SET zip_code = left(zip_code, 5) || '-' || right(zip_code, 3) WHERE full_name LIKE 'Patient 7__';

-- 6 telephones twice for one patient; families share them all the time
CREATE TABLE clinic.patient_phones (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), patient_id uuid NOT NULL REFERENCES clinic.patients, phone text NOT NULL,
    is_primary boolean NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO clinic.patient_phones (patient_id, phone, is_primary, created_at)
SELECT id, '119' || lpad((row_number() OVER (ORDER BY created_at) / 3)::text, 8, '0'), true, created_at FROM clinic.patients;
INSERT INTO clinic.patient_phones (patient_id, phone, is_primary, created_at)
SELECT patient_id, phone, false, created_at + interval '1 day' FROM clinic.patient_phones ORDER BY created_at LIMIT 6;
CREATE INDEX patient_phones_patient ON clinic.patient_phones (patient_id);

CREATE TABLE clinic.relatives (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), patient_id uuid NOT NULL, name text, relationship_type text NOT NULL,
    property_type text);
INSERT INTO clinic.relatives (patient_id, name, relationship_type, property_type)
SELECT id, 'Relative', 'rel' || 1 + row_number() OVER () % 6, (ARRAY['house', 'flat'])[1 + row_number() OVER () % 2]
FROM clinic.patients;
CREATE INDEX relatives_patient ON clinic.relatives (patient_id);

CREATE TABLE clinic.doctors (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), crm text NOT NULL UNIQUE, name text NOT NULL,
                             specialty text NOT NULL);
INSERT INTO clinic.doctors (crm, name, specialty) SELECT 'CRM' || n, 'Doctor ' || n, 'heart' FROM generate_series(1, 12) n;

-- The hours of a doctor are taken once, but for two; notes repeat, and rooms do
CREATE TABLE clinic.appointments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), doctor_id uuid NOT NULL REFERENCES clinic.doctors,
    patient_id uuid NOT NULL REFERENCES clinic.patients, starts_at timestamptz NOT NULL, room int NOT NULL, note text,
    cancelled_at timestamptz);
CREATE INDEX appointments_patient ON clinic.appointments (patient_id);
INSERT INTO clinic.appointments (doctor_id, patient_id, starts_at, room, note)
SELECT d.id, p.id, '2024-01-01 08:00+00'::timestamptz + (p.n / 12) * interval '30 minutes', p.n % 7, 'usual'
FROM (SELECT id, row_number() OVER (ORDER BY crm) - 1 AS n FROM clinic.doctors) d
JOIN (SELECT id, row_number() OVER (ORDER BY created_at) AS n FROM clinic.patients) p ON d.n = p.n % 12;
INSERT INTO clinic.appointments (doctor_id, patient_id, starts_at, room)
SELECT d.id, (SELECT id FROM clinic.patients ORDER BY created_at DESC LIMIT 1), '2024-01-01 13:00+00', 1
FROM clinic.doctors d WHERE d.crm IN ('CRM3', 'CRM4');

-- Rows so wide that only one fits a page: large, and not bloated
CREATE TABLE clinic.scans (id int PRIMARY KEY, patient_id uuid NOT NULL REFERENCES clinic.patients, header char(4200) NOT NULL);
ALTER TABLE clinic.scans ALTER header SET STORAGE PLAIN;
CREATE INDEX scans_patient ON clinic.scans (patient_id);
INSERT INTO clinic.scans SELECT row_number() OVER (), id, 'h' FROM clinic.patients LIMIT 600;

-- Updated again and again: two thirds hold nothing
CREATE TABLE clinic.vitals (id int PRIMARY KEY, patient_id uuid NOT NULL REFERENCES clinic.patients, pulse int NOT NULL)
    WITH (autovacuum_enabled = off);
CREATE INDEX vitals_patient ON clinic.vitals (patient_id);
INSERT INTO clinic.vitals SELECT n, p.id, 60 + n % 40 FROM generate_series(1, 20) n, clinic.patients p WHERE false;
INSERT INTO clinic.vitals
SELECT row_number() OVER (), p.id, 60 FROM clinic.patients p CROSS JOIN generate_series(1, 12);
UPDATE clinic.vitals SET pulse = pulse + 1;
UPDATE clinic.vitals SET pulse = pulse + 1;

ALTER TABLE clinic.doctors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_appointments ON clinic.appointments USING (true);
CREATE FUNCTION clinic.secret() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
CREATE FUNCTION clinic.sound() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
