-- A validated constraint is one that is not, and more; the columns go with 20260112080000_context_memory.
SELECT 1;
