SELECT "a;b", `c;d` # x;
; /* ; */ -- y;
\! rm -rf /
INSERT INTO t VALUES ('open