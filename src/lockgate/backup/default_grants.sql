-- Who is granted something by default on what we make.
SELECT DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END
FROM pg_catalog.pg_default_acl d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) g
JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole AND r.rolname = current_user
WHERE g.grantee <> d.defaclrole
ORDER BY 1
