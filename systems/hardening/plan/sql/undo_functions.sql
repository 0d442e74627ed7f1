DROP FUNCTION IF EXISTS core.state_form;
DROP FUNCTION IF EXISTS core.zip_code_form;
