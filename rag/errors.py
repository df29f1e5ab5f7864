"""Every error that Ibid raises on purpose. Each message says what was found, what was expected, what to do.

IbidError                    HTTP 500 unless another status is named
├── InvalidInput             the caller can fix it (HTTP 422)
│   ├── InvalidName          a document or corpus name that is unsafe or malformed
│   ├── InvalidFilter        a metadata filter that does not parse
│   └── SyncRefused          a sync that would delete too much, or found nothing to follow
├── InvalidSettings          a key in ibid.toml or IBID_* (names key, value and remedy)
├── NotFound                 no such corpus, document or job (HTTP 404)
├── OtherEmbedder            a corpus whose embedding model is unavailable here (HTTP 409)
├── SyncRunning              another sync of the same corpus has not ended yet (HTTP 409)
├── WrongState               a job or generation that is in the wrong state for the request (HTTP 409)
│   └── Swapped              another generation was swapped in meanwhile; the caller tries again
├── UnreadableFile           one file that cannot become a document; the others go on (HTTP 422)
├── ModelError               a model that is missing, damaged or of the wrong kind
├── ProcessError             the process that reads files does not start; no file is at fault
├── StorageError             a disk that is full (HTTP 507) or busy (503), a damaged or newer data folder
└── CitationError            a quote that is not the stored text: a bug, never served

Stopped is outside the tree: it reports no error, and no error handler may mistake it for the failure of a file.
"""


class IbidError(Exception):
    """Root of the tree; catch it to handle whatever Ibid reports."""


class InvalidInput(IbidError):
    """The request or question is malformed; nothing was changed."""


class InvalidName(InvalidInput):
    """A document or corpus name is unsafe or malformed."""


class InvalidFilter(InvalidInput):
    """A metadata filter does not parse."""


class SyncRefused(InvalidInput):
    """A sync would delete more than it may without being forced, or its folder holds nothing to follow."""


class InvalidSettings(IbidError):
    """A setting has a value outside what it accepts."""


class NotFound(IbidError):
    """No corpus, document or job has this name."""


class OtherEmbedder(IbidError):
    """The model that embedded a corpus is unavailable; vectors of two models are never compared."""


class WrongState(IbidError):
    """A job or generation is in the wrong state for the request; nothing was changed."""


class Swapped(WrongState):
    """Another generation of the corpus was swapped in meanwhile; work done for the old one is repeated."""


class SyncRunning(IbidError):
    """Another sync of the same corpus is running; the message says which process, and since when."""


class UnreadableFile(IbidError):
    """A file cannot become a document; the message gives the reason."""


class ModelError(IbidError):
    """A model is missing, damaged or of the wrong kind."""


class ProcessError(IbidError):
    """The process that reads files does not start; the message says why. No file is to blame."""


class StorageError(IbidError):
    """The data folder cannot be used as it is."""


class CitationError(IbidError):
    """A quote is not the stored text of its document version."""


class Stopped(BaseException):
    """The service was told to stop, so the current work ends here; the next start resumes it.

    A BaseException, like KeyboardInterrupt: `except Exception` around one file must let it through.
    """
