# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of sqlite3 for pytests.py, since Debian does not package the interpreter's own."""
import datetime
import os
import sqlite3
import tempfile
import unittest


class Types(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)
        self.db.execute("create table t(i integer, f real, s text, b blob, d date)")

    def tearDown(self):
        self.db.close()

    def test_round_trip(self):
        rows = [(n, n / 7, "ü" * n, bytes(range(n)), datetime.date(2000, 1, 1 + n)) for n in range(28)]
        self.db.executemany("insert into t values(?,?,?,?,?)", rows)
        self.assertEqual(self.db.execute("select * from t order by i").fetchall(), rows)

    def test_null_and_large(self):
        self.db.execute("insert into t values(?,?,?,?,?)", (2**63 - 1, None, None, b"\0" * 100000, None))
        self.assertEqual(self.db.execute("select i, f, length(b) from t").fetchone(), (2**63 - 1, None, 100000))
        with self.assertRaises(OverflowError):
            self.db.execute("insert into t(i) values(?)", (2**63,))

    def test_names(self):
        self.db.row_factory = sqlite3.Row
        self.db.execute("insert into t(i, s) values(:i, :s)", {"i": 1, "s": "x"})
        row = self.db.execute("select i as number, s from t").fetchone()
        self.assertEqual((row["number"], row["s"], row.keys()), (1, "x", ["number", "s"]))


class Functions(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:")

    def tearDown(self):
        self.db.close()

    def test_function_and_aggregate(self):
        class Product:
            def __init__(self):
                self.value = 1

            def step(self, x):
                self.value = self.value * x % 1000003

            def finalize(self):
                return self.value

        self.db.create_function("twice", 1, lambda x: 2 * x, deterministic=True)
        self.db.create_aggregate("product", 1, Product)
        got = self.db.execute(
            "with recursive n(x) as (values(1) union all select x+1 from n where x<20000) "
            "select sum(twice(x)), product(x) from n"
        ).fetchone()
        want = 1
        for x in range(1, 20001):
            want = want * x % 1000003
        self.assertEqual(got, (20000 * 20001, want))

    def test_errors(self):
        with self.assertRaises(sqlite3.OperationalError):
            self.db.execute("select * from nowhere")
        self.db.execute("create table u(x unique)")
        self.db.execute("insert into u values(1)")
        with self.assertRaises(sqlite3.IntegrityError):
            self.db.execute("insert into u values(1)")
        self.db.create_function("broken", 0, lambda: 1 // 0)
        with self.assertRaises(sqlite3.OperationalError):
            self.db.execute("select broken()")

    def test_collation_and_trace(self):
        seen = []
        self.db.set_trace_callback(seen.append)
        self.db.create_collation("backwards", lambda a, b: (a < b) - (a > b))
        self.db.execute("create table t(s)")
        self.db.executemany("insert into t values(?)", [(c,) for c in "bdac"])
        self.assertEqual("".join(r[0] for r in self.db.execute("select s from t order by s collate backwards")), "dcba")
        self.assertTrue(any("create table" in s for s in seen))


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.directory.name, "file.db")

    def tearDown(self):
        self.directory.cleanup()

    def fill(self, journal, rows):
        db = sqlite3.connect(self.path)
        mode = db.execute(f"pragma journal_mode={journal}").fetchone()[0]
        self.assertEqual(mode, journal)
        db.execute("create table t(k integer primary key, v text)")
        with db:
            db.executemany("insert into t values(?, ?)", ((k, "%032x" % (k * 2654435761)) for k in range(rows)))
        return db

    def test_transactions(self):
        db = self.fill("delete", 5000)
        try:
            with db:
                db.execute("delete from t where k % 2 = 0")
                self.assertEqual(db.execute("select count(*) from t").fetchone()[0], 2500)
                raise KeyError
        except KeyError:
            pass
        self.assertEqual(db.execute("select count(*) from t").fetchone()[0], 5000)
        db.close()
        again = sqlite3.connect(self.path)
        self.assertEqual(again.execute("pragma integrity_check").fetchone()[0], "ok")
        again.close()

    def test_two_connections(self):
        db = self.fill("truncate", 100)
        other = sqlite3.connect(self.path, timeout=0)
        db.execute("begin immediate")
        with self.assertRaises(sqlite3.OperationalError) as caught:
            other.execute("begin immediate")
        self.assertIn("locked", str(caught.exception))
        db.commit()
        other.execute("begin immediate")
        other.rollback()
        other.close()
        db.close()

    def test_backup_and_iterdump(self):
        db = self.fill("persist", 3000)
        copy = sqlite3.connect(":memory:")
        db.backup(copy, pages=7)
        self.assertEqual(copy.execute("select count(*), max(v) from t").fetchone(), db.execute("select count(*), max(v) from t").fetchone())
        third = sqlite3.connect(":memory:")
        third.executescript("\n".join(db.iterdump()))
        self.assertEqual(third.execute("select sum(k) from t").fetchone()[0], 3000 * 2999 // 2)
        for c in (db, copy, third):
            c.close()

    def test_write_ahead_log(self):
        db = self.fill("wal", 2000)
        reader = sqlite3.connect(self.path)
        db.execute("begin")
        db.execute("update t set v = 'x'")
        self.assertNotEqual(reader.execute("select v from t limit 1").fetchone()[0], "x")
        db.commit()
        self.assertEqual(reader.execute("select count(*) from t where v = 'x'").fetchone()[0], 2000)
        reader.close()
        db.close()

    def test_blob(self):
        db = sqlite3.connect(self.path)
        db.execute("create table b(data blob)")
        db.execute("insert into b values(zeroblob(300000))")
        with db.blobopen("b", "data", 1) as blob:
            for at in range(0, 300000, 1000):
                blob.seek(at)
                blob.write(b"%06d" % at)
            blob.seek(299000)
            self.assertEqual(blob.read(6), b"299000")
        db.close()
