INSERT INTO ref.relationship_types (code, label)
VALUES ('partner', 'Sócio'), ('director', 'Diretor'), ('representative', 'Representante'), ('employee', 'Funcionário')
