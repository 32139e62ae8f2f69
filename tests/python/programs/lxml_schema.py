"""lxml_schema.py [RUNS] [THREADS]: the first XMLSchema of a process, made by several threads.

libxml2 fills its table of built-in types when it is first needed, with no lock (2.14.6 in
lxml 6.1.3), and lxml lets the interpreter go for that call. Each run is a process of its own:
a process has one chance. With THREADS 1 nothing can go wrong; mode=latent shows it there.
"""
import subprocess
import sys
import threading

from lxml import etree

SCHEMA = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="a"><xs:complexType><xs:sequence>
<xs:element name="d" type="xs:date"/><xs:element name="n" type="xs:nonNegativeInteger"/>
<xs:element name="t" type="xs:normalizedString"/></xs:sequence>
<xs:attribute name="i" type="xs:ID"/></xs:complexType></xs:element></xs:schema>"""
DOCUMENT = b"<a i='x'><d>2020-01-01</d><n>3</n><t>b</t></a>"


def once(n):
    barrier = threading.Barrier(n)
    errors = []

    def work():
        schema, document = etree.XML(SCHEMA), etree.XML(DOCUMENT)
        barrier.wait()
        try:
            if not etree.XMLSchema(schema).validate(document):
                errors.append("a valid document is invalid")
        except etree.LxmlError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


runs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
threads = int(sys.argv[2]) if len(sys.argv) > 2 else 4
if runs == 1:
    errors = once(threads)
    print(*errors[:1])
    sys.exit(1 if errors else 0)
failed = [subprocess.run([sys.executable, __file__, "1", str(threads)], capture_output=True,
                         text=True) for _ in range(runs)]
failed = [run for run in failed if run.returncode != 0]
print(f"{len(failed)} of {runs} runs failed", *{run.stdout.strip() or run.returncode for run in failed})
