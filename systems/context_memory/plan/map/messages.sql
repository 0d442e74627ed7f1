-- Elements of the array in their order. Old ones say "customer" and "bot", and when as milliseconds since 1970.
SELECT v.id AS conversation_id,
       m.place::integer AS position,
       public.message_of(v.id, m.place::integer) AS id,
       CASE m.body ->> 'role'
           WHEN 'user' THEN 'user'::public."MessageRole" WHEN 'customer' THEN 'user'::public."MessageRole"
           WHEN 'assistant' THEN 'assistant'::public."MessageRole" WHEN 'bot' THEN 'assistant'::public."MessageRole"
           WHEN 'system' THEN 'system'::public."MessageRole"
           WHEN 'tool' THEN 'tool'::public."MessageRole"
       END AS role,
       m.body ->> 'content' AS content,
       timestamp '1970-01-01' + ((m.body ->> 'at')::bigint * interval '1 millisecond') AS "createdAt"
FROM public."Lead" l
JOIN public."Conversation" v ON v.id = l.id
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(l."stateMetadata") WHEN 'array' THEN l."stateMetadata" ELSE '[]' END
) WITH ORDINALITY AS m (body, place)
