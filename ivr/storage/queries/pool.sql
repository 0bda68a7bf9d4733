-- The connection itself.

-- name: answers
-- The shortest question.
SELECT 1
