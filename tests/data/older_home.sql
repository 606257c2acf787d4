-- The database of a home that Parley made at commit 3725cd7, before its files moved into rooms: a server with a setting,
-- two people, a question with two answers, four ratings, an edit, an erased message, an imported row, an audit log
-- entry and a release. The installation's key was 32 bytes "k". Made with Python's sqlite3.Connection.iterdump.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE consent_texts (
	version VARCHAR(40) NOT NULL, 
	since DATETIME NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "consent_texts" VALUES('2026-11-2','2026-11-30 00:52:37.061442');
CREATE TABLE consents (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	granted BOOLEAN NOT NULL, 
	text_version VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, outside_judge BOOLEAN, 
	PRIMARY KEY (id), 
	FOREIGN KEY(person_id) REFERENCES people (id)
);
INSERT INTO "consents" VALUES(1,1,1,'2026-11-2','2026-11-30 00:52:37.325460',NULL);
INSERT INTO "consents" VALUES(2,2,0,'2026-11-2','2026-11-30 00:52:37.386087',NULL);
CREATE TABLE conversations (
	id INTEGER NOT NULL, 
	platform VARCHAR(20) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	persona VARCHAR(40) NOT NULL, 
	language VARCHAR(10) NOT NULL, 
	server_id INTEGER, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(server_id) REFERENCES servers (id), 
	UNIQUE (platform, "key")
);
INSERT INTO "conversations" VALUES(1,'discord','11:100','tutor','en',1,'2026-11-30 00:52:37.233387');
CREATE TABLE deeds (
	id INTEGER NOT NULL, 
	person_id INTEGER NOT NULL, 
	server_id INTEGER, 
	deed VARCHAR(40) NOT NULL, 
	what JSON NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(person_id) REFERENCES people (id), 
	FOREIGN KEY(server_id) REFERENCES servers (id)
);
INSERT INTO "deeds" VALUES(1,1,1,'teaching','{"allowed": "on"}','2026-11-30 00:52:38.093196');
CREATE TABLE fold_members (
	fingerprint VARCHAR(64) NOT NULL, 
	group_id VARCHAR(64) NOT NULL, 
	signature BLOB NOT NULL, 
	PRIMARY KEY (fingerprint), 
	FOREIGN KEY(group_id) REFERENCES folds (group_id)
);
INSERT INTO "fold_members" VALUES('ec3c5019ad70856228784fa58f288db5ffcc9543641390024eeaa0ced623babc','ec3c5019ad70856228784fa58f288db5ffcc9543641390024eeaa0ced623babc',X'E376CB098AA0982A4D580913D7C1F90E27BCAA4A14965403B753273E7BC46000481A24064A0FDC089EC7811537E4CD3091DE8B06E981CA0629784E00AC5D8B100FA55A009EFB1A08488BF711C091A7009F4C16053E703A225B439900376AF418AA304F032DA741161870020B0A859945190B33097CAD9414973C193E8329811E6A505B508D17FC1016099D0C6BC31D2AA5B28735EDFCEB27877BF14A0836111574266E0FB09D0B0432322104C660A6061744AC008BFD3F0E7863F823D37ADA0E194A1B1B0D92690CCD9108386364CF257A28AF05B2DE440FBDBD062B7C3142141BA321358743730A4761340B0B1CCD14D51B37086DEAE21623C38D04A2ED8700');
INSERT INTO "fold_members" VALUES('9f6398c4c3032b99f167ada881761a4dec180f9ba4ab62f684e11b2d350da286','ec3c5019ad70856228784fa58f288db5ffcc9543641390024eeaa0ced623babc',X'');
INSERT INTO "fold_members" VALUES('07e277301cfcbad8144c78733ed6541385c10163ac6ff404becfc90d0b696e90','07e277301cfcbad8144c78733ed6541385c10163ac6ff404becfc90d0b696e90',X'217CCE9E6D4A13B8BD6A55FA673C80B2A01DC97CC4EBDD032D4544A9B7A38CB8A8FEC7F33E5059F0D8655081BC2B29AFF101225E8FE1EC2BF579C398D6825466E3CB96C76C1DCDB7F8A84D9CDD035AB803B32E966E5578B60B85E9674BD132AB565EBB449D0B475A5C3E9C721A86762655CD34B8D74C90281B78B899C24D8D4BB36B704B198C0F771029A95887B6A1CC4113BD4CCD55E33577334270FA62DDD2549C2960CC2082304EEE937826BB75E9F320C23BDB615F3043DFEA97831686B085915C3EEB21E835F79F34B348A2C54DAE7A1EBEA2E72389FA66B0C11CBE64E934DA6B598BBCDD0BE3C6B260A53BF5C805EC233469455844FFEDDA8C5469E61E');
CREATE TABLE folds (
	group_id VARCHAR(64) NOT NULL, 
	fold VARCHAR(20) NOT NULL, 
	assigned_at DATETIME NOT NULL, 
	PRIMARY KEY (group_id)
);
INSERT INTO "folds" VALUES('ec3c5019ad70856228784fa58f288db5ffcc9543641390024eeaa0ced623babc','train','2026-11-30 00:52:38.329401');
INSERT INTO "folds" VALUES('07e277301cfcbad8144c78733ed6541385c10163ac6ff404becfc90d0b696e90','train','2026-11-30 00:52:38.329411');
CREATE TABLE generation_context (
	generation_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	version_id INTEGER NOT NULL, 
	PRIMARY KEY (generation_id, position), 
	FOREIGN KEY(generation_id) REFERENCES generations (id), 
	FOREIGN KEY(version_id) REFERENCES message_versions (id)
);
INSERT INTO "generation_context" VALUES(1,0,1);
INSERT INTO "generation_context" VALUES(2,0,1);
CREATE TABLE generations (
	id INTEGER NOT NULL, 
	conversation_id INTEGER NOT NULL, 
	message_id INTEGER NOT NULL, 
	version_id INTEGER NOT NULL, 
	system_prompt_id INTEGER NOT NULL, 
	rendered_sha256 VARCHAR(64) NOT NULL, 
	release INTEGER NOT NULL, 
	sampling JSON NOT NULL, 
	seed INTEGER NOT NULL, 
	finish_reason VARCHAR(20) NOT NULL, 
	prompt_tokens INTEGER, 
	completion_tokens INTEGER, 
	first_token_seconds DOUBLE, 
	platform VARCHAR(20) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(conversation_id) REFERENCES conversations (id), 
	FOREIGN KEY(message_id) REFERENCES messages (id), 
	FOREIGN KEY(system_prompt_id) REFERENCES system_prompts (id), 
	FOREIGN KEY(version_id) REFERENCES message_versions (id), 
	UNIQUE (message_id), 
	UNIQUE (version_id)
);
INSERT INTO "generations" VALUES(1,1,2,2,1,'19f9aa53659a27773f9974709ce00ad8f1eb301078a6225b9ba5b9c5691c77c7',0,'{"temperature": 0.7}',1,'stop',5,3,0.1,'discord','2026-11-30 00:52:37.585439');
INSERT INTO "generations" VALUES(2,1,3,3,1,'19f9aa53659a27773f9974709ce00ad8f1eb301078a6225b9ba5b9c5691c77c7',1,'{"temperature": 0.7}',1,'stop',5,3,0.1,'discord','2026-11-30 00:52:37.666148');
CREATE TABLE imported_rows (
	id INTEGER NOT NULL, 
	source_id VARCHAR(120) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	label BOOLEAN, 
	persona VARCHAR(40), 
	language VARCHAR(10), 
	source VARCHAR(80), 
	weight DOUBLE NOT NULL, 
	platform VARCHAR(20) NOT NULL, 
	consented BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, margin DOUBLE, outside_judge BOOLEAN, 
	PRIMARY KEY (id), 
	UNIQUE (source_id)
);
INSERT INTO "imported_rows" VALUES(1,'import:demonstration:mine','demonstration',NULL,NULL,NULL,NULL,1.0,'import',1,'2026-11-30 00:52:38.056029',NULL,NULL);
CREATE TABLE imported_texts (
	row_id INTEGER NOT NULL, 
	part VARCHAR(20) NOT NULL, 
	position INTEGER NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	version_id INTEGER NOT NULL, 
	PRIMARY KEY (row_id, part, position), 
	FOREIGN KEY(row_id) REFERENCES imported_rows (id), 
	FOREIGN KEY(version_id) REFERENCES message_versions (id)
);
INSERT INTO "imported_texts" VALUES(1,'messages',0,'user',7);
INSERT INTO "imported_texts" VALUES(1,'messages',1,'assistant',8);
CREATE TABLE message_versions (
	id INTEGER NOT NULL, 
	message_id INTEGER, 
	author_id INTEGER, 
	text VARCHAR, 
	created_at DATETIME NOT NULL, 
	erased_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(author_id) REFERENCES people (id), 
	FOREIGN KEY(message_id) REFERENCES messages (id)
);
INSERT INTO "message_versions" VALUES(1,1,1,'How do bees find home?','2026-11-30 00:52:37.431687',NULL);
INSERT INTO "message_versions" VALUES(2,2,NULL,'By the sun.','2026-11-30 00:52:37.545679',NULL);
INSERT INTO "message_versions" VALUES(3,3,NULL,'By smell.','2026-11-30 00:52:37.653326',NULL);
INSERT INTO "message_versions" VALUES(4,NULL,1,'By the sun, and by landmarks.','2026-11-30 00:52:37.766767',NULL);
INSERT INTO "message_versions" VALUES(5,1,1,'How do bees find their way home?','2026-11-30 00:52:37.825233',NULL);
INSERT INTO "message_versions" VALUES(6,4,2,NULL,'2026-11-30 00:52:37.863519','2026-11-30 00:52:37.942799');
INSERT INTO "message_versions" VALUES(7,NULL,NULL,'q','2026-11-30 00:52:38.061686',NULL);
INSERT INTO "message_versions" VALUES(8,NULL,NULL,'a','2026-11-30 00:52:38.061692',NULL);
CREATE TABLE messages (
	id INTEGER NOT NULL, 
	conversation_id INTEGER NOT NULL, 
	parent_id INTEGER, 
	role VARCHAR(20) NOT NULL, 
	author_id INTEGER, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(author_id) REFERENCES people (id), 
	FOREIGN KEY(conversation_id) REFERENCES conversations (id), 
	FOREIGN KEY(parent_id) REFERENCES messages (id)
);
INSERT INTO "messages" VALUES(1,1,NULL,'user',1,'2026-11-30 00:52:37.421432');
INSERT INTO "messages" VALUES(2,1,1,'assistant',NULL,'2026-11-30 00:52:37.543760');
INSERT INTO "messages" VALUES(3,1,1,'assistant',NULL,'2026-11-30 00:52:37.641838');
INSERT INTO "messages" VALUES(4,1,NULL,'user',2,'2026-11-30 00:52:37.855579');
CREATE TABLE open_answers (
	platform VARCHAR(20) NOT NULL, 
	"key" VARCHAR(40) NOT NULL, 
	channel_id VARCHAR(40) NOT NULL, 
	question_id VARCHAR(40) NOT NULL, 
	message_id VARCHAR(40), 
	opened_at DATETIME NOT NULL, 
	PRIMARY KEY (platform, "key")
);
CREATE TABLE people (
	id INTEGER NOT NULL, 
	pseudonym VARCHAR(40) NOT NULL, 
	platform VARCHAR(20) NOT NULL, 
	id_hash VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (platform, id_hash), 
	UNIQUE (pseudonym)
);
INSERT INTO "people" VALUES(1,'person-28da0f9e83f3','discord','4279ef56027ad3bbcadd7a893df8e44ddaed42d17958f86a0caf08519c2d93e3','2026-11-30 00:52:37.293257');
INSERT INTO "people" VALUES(2,'person-102200bf5c09','discord','9aa2bb0fbfac2018860e5fad8e08c9526317a6de4d29a4e3c594fd4e9ab02ffc','2026-11-30 00:52:37.366387');
CREATE TABLE platform_messages (
	platform VARCHAR(20) NOT NULL, 
	platform_id VARCHAR(40) NOT NULL, 
	message_id INTEGER NOT NULL, 
	PRIMARY KEY (platform, platform_id), 
	FOREIGN KEY(message_id) REFERENCES messages (id)
);
INSERT INTO "platform_messages" VALUES('discord','100',1);
INSERT INTO "platform_messages" VALUES('discord','101',2);
INSERT INTO "platform_messages" VALUES('discord','102',3);
INSERT INTO "platform_messages" VALUES('discord','103',4);
CREATE TABLE ratings (
	id INTEGER NOT NULL, 
	source_id VARCHAR(120) NOT NULL, 
	rater_id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	generation_id INTEGER NOT NULL, 
	other_id INTEGER, 
	value VARCHAR(20), 
	text_version_id INTEGER, 
	platform VARCHAR(20) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(generation_id) REFERENCES generations (id), 
	FOREIGN KEY(other_id) REFERENCES generations (id), 
	FOREIGN KEY(rater_id) REFERENCES people (id), 
	FOREIGN KEY(text_version_id) REFERENCES message_versions (id), 
	UNIQUE (source_id)
);
INSERT INTO "ratings" VALUES(1,'s1',1,'vote',1,NULL,'up',NULL,'discord','2026-11-30 00:52:37.705283');
INSERT INTO "ratings" VALUES(2,'s2',1,'comparison',1,2,'a',NULL,'discord','2026-11-30 00:52:37.734751');
INSERT INTO "ratings" VALUES(3,'s3',1,'correction',2,NULL,NULL,4,'discord','2026-11-30 00:52:37.767689');
INSERT INTO "ratings" VALUES(4,'s4',2,'vote',2,NULL,'down',NULL,'discord','2026-11-30 00:52:37.791193');
CREATE TABLE releases (
	number INTEGER NOT NULL, 
	base VARCHAR NOT NULL, 
	manifest_sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	promoted_at DATETIME, 
	PRIMARY KEY (number)
);
INSERT INTO "releases" VALUES(1,'smollm2-135m','0000000000000000000000000000000000000000000000000000000000000000','2026-11-30 00:52:38.113322','2026-11-30 00:52:38.121868');
CREATE TABLE servers (
	id INTEGER NOT NULL, 
	platform VARCHAR(20) NOT NULL, 
	platform_id VARCHAR(40) NOT NULL, 
	may_teach BOOLEAN NOT NULL, 
	joined_at DATETIME NOT NULL, 
	left_at DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (platform, platform_id)
);
INSERT INTO "servers" VALUES(1,'discord','1',1,'2026-11-30 00:52:37.095560',NULL);
CREATE TABLE settings (
	id INTEGER NOT NULL, 
	scope VARCHAR(20) NOT NULL, 
	scope_id VARCHAR(40) NOT NULL, 
	"key" VARCHAR(60) NOT NULL, 
	value JSON NOT NULL, 
	at DATETIME NOT NULL, server VARCHAR(40), 
	PRIMARY KEY (id), 
	UNIQUE (scope, scope_id, "key")
);
INSERT INTO "settings" VALUES(1,'channel','11','persona','{"is": "writer"}','2026-11-30 00:52:37.205220','1');
CREATE TABLE system_prompts (
	id INTEGER NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	text VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (sha256)
);
INSERT INTO "system_prompts" VALUES(1,'42ea835592c20e1e24b29875c1063f6c7ef31f78c490c428306b4e1088fcf0e8','You are helpful.');
CREATE TABLE tombstones (
	id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	ref_hash VARCHAR(64) NOT NULL, 
	reason VARCHAR(20) NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "tombstones" VALUES(1,'text','051ed2826a01d25ee8b361171f98de6896257f0b47cffab5ab098e56ca839267','erased','2026-11-30 00:52:37.957229');
INSERT INTO "tombstones" VALUES(2,'message','c1216e44072ced2f8e1a0b97633dc675b717554fc6f84b412ad27dd68433792a','deleted','2026-11-30 00:52:37.957236');
CREATE INDEX ix_tombstones_ref_hash ON tombstones (ref_hash);
CREATE INDEX ix_consents_person_id ON consents (person_id);
CREATE INDEX ix_fold_members_group_id ON fold_members (group_id);
CREATE INDEX ix_messages_author_id ON messages (author_id);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
CREATE INDEX ix_messages_parent_id ON messages (parent_id);
CREATE INDEX ix_message_versions_author_id ON message_versions (author_id);
CREATE INDEX ix_message_versions_message_id ON message_versions (message_id);
CREATE INDEX ix_platform_messages_message_id ON platform_messages (message_id);
CREATE INDEX ix_generations_conversation_id ON generations (conversation_id);
CREATE INDEX ix_generations_rendered_sha256 ON generations (rendered_sha256);
CREATE INDEX ix_imported_texts_version_id ON imported_texts (version_id);
CREATE INDEX ix_generation_context_version_id ON generation_context (version_id);
CREATE INDEX ix_ratings_generation_id ON ratings (generation_id);
CREATE INDEX ix_ratings_other_id ON ratings (other_id);
CREATE INDEX ix_ratings_rater_id ON ratings (rater_id);
CREATE INDEX ix_deeds_person_id ON deeds (person_id);
CREATE INDEX ix_deeds_server_id ON deeds (server_id);
COMMIT;
