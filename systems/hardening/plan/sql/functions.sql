-- The form of a state and of a zip code, or NULL where none can be made of what was written; nothing is guessed. What is
-- two capitals already is left as it is.

CREATE FUNCTION core.state_form(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN written ~ '^[A-Z]{2}$' THEN written
    WHEN upper(translate(written, ' .', '')) IN (
        'AC', 'AL', 'AM', 'AP', 'BA', 'CE', 'DF', 'ES', 'GO', 'MA', 'MG', 'MS', 'MT', 'PA', 'PB', 'PE', 'PI', 'PR', 'RJ',
        'RN', 'RO', 'RR', 'RS', 'SC', 'SE', 'SP', 'TO') THEN upper(translate(written, ' .', ''))
    ELSE CASE translate(lower(btrim(written)), 'áâãàéêíóôõúÁÂÃÀÉÊÍÓÔÕÚ', 'aaaaeeiooouaaaaeeiooou')
        WHEN 'acre' THEN 'AC' WHEN 'alagoas' THEN 'AL' WHEN 'amapa' THEN 'AP' WHEN 'amazonas' THEN 'AM'
        WHEN 'bahia' THEN 'BA' WHEN 'ceara' THEN 'CE' WHEN 'distrito federal' THEN 'DF' WHEN 'espirito santo' THEN 'ES'
        WHEN 'goias' THEN 'GO' WHEN 'maranhao' THEN 'MA' WHEN 'mato grosso' THEN 'MT' WHEN 'mato grosso do sul' THEN 'MS'
        WHEN 'minas gerais' THEN 'MG' WHEN 'para' THEN 'PA' WHEN 'paraiba' THEN 'PB' WHEN 'parana' THEN 'PR'
        WHEN 'pernambuco' THEN 'PE' WHEN 'piaui' THEN 'PI' WHEN 'rio de janeiro' THEN 'RJ'
        WHEN 'rio grande do norte' THEN 'RN' WHEN 'rio grande do sul' THEN 'RS' WHEN 'rondonia' THEN 'RO'
        WHEN 'roraima' THEN 'RR' WHEN 'santa catarina' THEN 'SC' WHEN 'sao paulo' THEN 'SP' WHEN 'sergipe' THEN 'SE'
        WHEN 'tocantins' THEN 'TO' END
END;

CREATE FUNCTION core.zip_code_form(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN regexp_replace(written, '[ .-]', '', 'g') ~ '^[0-9]{8}$' THEN regexp_replace(written, '[ .-]', '', 'g') END;
