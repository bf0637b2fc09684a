"""A host of systemd's units without systemd: what a unit says."""


class Unit:
    """A unit file, read as systemd.syntax(7) has it, without quotes and lines that go on."""

    def __init__(self, text):
        self.sections = {}
        for line in text.splitlines():
            if line.startswith("["):
                entries = self.sections.setdefault(line.strip("[]"), [])
            elif line and not line.startswith(("#", ";")):
                key, value = line.split("=", 1)
                entries.append((key, value))

    def all(self, key, section="Service"):
        return [value for name, value in self.sections.get(section, ()) if name == key]

    def get(self, key, section="Service"):
        return self.all(key, section)[-1] if self.all(key, section) else None

    def __getitem__(self, key):
        return self.all(key)[-1]
