#!/usr/bin/env python3
"""Makes soglia a .NET tool:  nupkg.py VERSION EPOCH RELEASE LICENCES OUT

RELEASE has soglia and libsoglia.so. LICENCES is a file with the licences of what is inside. OUT
gets two packages, as .NET 10 has it: one with the tool for Linux x64, and one that names it.
`dotnet tool install` takes the second, and gets from it the one for the machine.
"""

import sys
import time
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RID = "linux-x64"

NUSPEC = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>{id}</id>
    <version>{version}</version>
    <authors>The soglia maintainers</authors>
    <license type="expression">MIT OR Apache-2.0</license>
    <licenseUrl>https://licenses.nuget.org/MIT%20OR%20Apache-2.0</licenseUrl>
    <readme>README.md</readme>
    <description>Records every call between managed and native code in a .NET program.</description>
    <tags>pinvoke native interop profiler diagnostics</tags>
    <packageTypes>
{types}
    </packageTypes>
  </metadata>
</package>
"""

README = """# soglia

soglia shows what a .NET program does at its native edge: every P/Invoke, every callback, every call
through a function pointer.

    dotnet tool install -g soglia
    soglia run app.dll

It works on Linux x64 with glibc, and needs .NET 10 to be installed as a tool.
The programs that it records run on .NET 8 or later.
"""

SETTINGS_OF_ALL = """<?xml version="1.0" encoding="utf-8"?>
<DotNetCliTool Version="2">
  <Commands>
    <Command Name="soglia" />
  </Commands>
  <RuntimeIdentifierPackages>
    <RuntimeIdentifierPackage RuntimeIdentifier="{rid}" Id="soglia.{rid}" />
  </RuntimeIdentifierPackages>
</DotNetCliTool>
"""

SETTINGS_OF_ONE = """<?xml version="1.0" encoding="utf-8"?>
<DotNetCliTool Version="2">
  <Commands>
    <Command Name="soglia" EntryPoint="soglia" Runner="executable" />
  </Commands>
</DotNetCliTool>
"""

TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="xml" ContentType="application/octet" />
  <Default Extension="md" ContentType="application/octet" />
  <Default Extension="txt" ContentType="application/octet" />
  <Default Extension="so" ContentType="application/octet" />
{overrides}</Types>
"""

RELATIONS = """<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/{id}.nuspec" Id="R1" />
</Relationships>
"""


def pack(out, package, version, epoch, types, files):
    """Writes a package with these files: name, bytes, whether it is a program."""
    nuspec = NUSPEC.format(
        id=package,
        version=version,
        types="\n".join(f'      <packageType name="{name}" />' for name in types),
    )
    # A file without an extension has a content type of its own.
    overrides = "".join(
        f'  <Override PartName="/{name}" ContentType="application/octet" />\n'
        for name, _, _ in files
        if "." not in name.rsplit("/", 1)[-1]
    )
    texts = [
        ("[Content_Types].xml", TYPES.format(overrides=overrides)),
        ("_rels/.rels", RELATIONS.format(id=package)),
        (f"{package}.nuspec", nuspec),
        ("README.md", README),
    ]
    entries = [(name, text.encode(), False) for name, text in texts] + files
    when = time.gmtime(max(epoch, 315532800))[:6]
    with zipfile.ZipFile(out / f"{package}.{version}.nupkg", "w") as archive:
        for name, data, is_program in entries:
            entry = zipfile.ZipInfo(name, when)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: the mode below
            entry.external_attr = (0o100755 if is_program else 0o100644) << 16
            archive.writestr(entry, data, compresslevel=9)


def main():
    version, epoch, release, licences, out = sys.argv[1:]
    release, out, epoch = Path(release), Path(out), int(epoch)
    legal = [(name, (CHECKOUT / name).read_bytes(), False) for name in ("LICENSE-MIT", "LICENSE-APACHE")]
    legal.append(("THIRD-PARTY-LICENSES.txt", Path(licences).read_bytes(), False))

    settings = SETTINGS_OF_ALL.format(rid=RID).encode()
    files = [("tools/any/any/DotnetToolSettings.xml", settings, False), *legal[:2]]
    pack(out, "soglia", version, epoch, ["DotnetTool"], files)

    inside = f"tools/any/{RID}"
    files = [
        (f"{inside}/DotnetToolSettings.xml", SETTINGS_OF_ONE.encode(), False),
        (f"{inside}/libsoglia.so", (release / "libsoglia.so").read_bytes(), False),
        (f"{inside}/soglia", (release / "soglia").read_bytes(), True),
        *legal,
    ]
    pack(out, f"soglia.{RID}", version, epoch, ["DotnetToolRidPackage"], files)


if len(sys.argv) != 6:
    sys.exit(__doc__)
main()
