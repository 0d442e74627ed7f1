SELECT id::text, name, similarity(name, %(name)s)::float8 AS score
FROM parties WHERE name %% %(name)s ORDER BY score DESC, name, id LIMIT %(limit)s
