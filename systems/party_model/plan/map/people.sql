SELECT
    p.id AS party_id,
    e.national_id AS cpf,
    e.name AS full_name,
    e.metadata ->> 'gender' AS gender,
    CASE WHEN e.metadata ->> 'birth_year' ~ '^[0-9]{4}$' THEN (e.metadata ->> 'birth_year')::smallint END AS birth_year
FROM core.entities e
JOIN core.parties p ON p.id = e.entity_id
WHERE length(e.national_id) = 11
