-- The checks go with 20260126080000_not_null_checks.
SELECT 1;
