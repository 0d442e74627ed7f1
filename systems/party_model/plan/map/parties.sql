SELECT
    e.entity_id AS id,
    e.national_id AS cpf_cnpj,
    CASE WHEN length(e.national_id) = 11 THEN 'person' ELSE 'company' END AS party_type,
    e.name AS display_name,
    e.metadata,
    e.created_at,
    e.updated_at
FROM core.entities e
