SELECT
    p.id AS entity_id,
    p.cpf_cnpj AS national_id,
    p.display_name AS name,
    p.metadata,
    p.created_at,
    p.updated_at
FROM core.parties p
