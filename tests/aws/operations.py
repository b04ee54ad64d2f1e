"""What a request to AWS is called: service, operation and the thing it is about.

The log, the faults and the rules speak of operations by AWS's own names. On the wire a name stands in one of four
places: in the query or form field `Action` (IAM, STS), in the header `X-Amz-Target` (EventBridge, logs), in the query
field `x-id` (most of S3), or in nothing but method and path (Lambda, API Gateway, the rest of S3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

DATA_PLANE = "/_aws/execute-api/"

_READS = re.compile(r"^(Get|List|Head|Describe|Invoke|AssumeRole|Decode|Lookup|Simulate|TestInvoke)")


@dataclass(frozen=True)
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Returns the header of that name, or the empty string."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        """The query's fields, each with its first value; a field without `=` is there and empty."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    @property
    def key(self) -> str:
        """The access key that signed it; the empty string where nobody did."""
        _, _, credential = self.header("Authorization").partition("Credential=")
        return credential.partition("/")[0]

    @property
    def form(self) -> dict[str, str]:
        """The fields of a body in the query protocol."""
        return {key: values[0] for key, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


@dataclass(frozen=True)
class Call:
    """A request by its AWS names."""

    service: str
    operation: str
    target: str = ""
    region: str = ""

    @property
    def mutates(self) -> bool:
        """Whether it may change anything in AWS."""
        return self.service not in ("sts", "execute-api") and not _READS.match(self.operation)


@dataclass(frozen=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    operation: str
    query: str = field(default="")


def _routes(table: str) -> list[_Route]:
    """Reads lines of `METHOD path[?field] Operation`; `{}` is any segment and `{target}` names the thing."""
    routes = []
    for line in table.split("\n"):
        if not line.strip():
            continue
        method, path, operation = line.split()
        path, _, query = path.partition("?")
        pattern = re.escape(path).replace(r"\{target\}", "(?P<target>[^/]+)").replace(r"\{\}", "[^/]+")
        routes.append(_Route(method, re.compile(f"^{pattern}/?$"), operation, query))
    return routes


_LAMBDA = _routes("""
    POST   /{}/functions                                CreateFunction
    GET    /{}/functions                                ListFunctions
    GET    /{}/functions/{target}                       GetFunction
    DELETE /{}/functions/{target}                       DeleteFunction
    GET    /{}/functions/{target}/configuration         GetFunctionConfiguration
    PUT    /{}/functions/{target}/configuration         UpdateFunctionConfiguration
    PUT    /{}/functions/{target}/code                  UpdateFunctionCode
    GET    /{}/functions/{target}/policy                GetPolicy
    POST   /{}/functions/{target}/policy                AddPermission
    DELETE /{}/functions/{target}/policy/{}             RemovePermission
    GET    /{}/functions/{target}/concurrency           GetFunctionConcurrency
    PUT    /{}/functions/{target}/concurrency           PutFunctionConcurrency
    DELETE /{}/functions/{target}/concurrency           DeleteFunctionConcurrency
    POST   /{}/functions/{target}/invocations           Invoke
    GET    /{}/functions/{target}/versions              ListVersionsByFunction
    POST   /{}/functions/{target}/versions              PublishVersion
    GET    /{}/functions/{target}/aliases               ListAliases
    POST   /{}/functions/{target}/aliases               CreateAlias
    GET    /{}/functions/{target}/aliases/{}            GetAlias
    PUT    /{}/functions/{target}/aliases/{}            UpdateAlias
    DELETE /{}/functions/{target}/aliases/{}            DeleteAlias
    GET    /{}/functions/{target}/event-invoke-config   GetFunctionEventInvokeConfig
    PUT    /{}/functions/{target}/event-invoke-config   PutFunctionEventInvokeConfig
    DELETE /{}/functions/{target}/event-invoke-config   DeleteFunctionEventInvokeConfig
    GET    /{}/event-source-mappings                    ListEventSourceMappings
    POST   /{}/event-source-mappings                    CreateEventSourceMapping
    GET    /{}/event-source-mappings/{target}           GetEventSourceMapping
    PUT    /{}/event-source-mappings/{target}           UpdateEventSourceMapping
    DELETE /{}/event-source-mappings/{target}           DeleteEventSourceMapping
    GET    /{}/layers                                   ListLayers
    GET    /{}/layers?find                              GetLayerVersionByArn
    GET    /{}/layers/{target}/versions                 ListLayerVersions
    POST   /{}/layers/{target}/versions                 PublishLayerVersion
    GET    /{}/layers/{target}/versions/{}              GetLayerVersion
    DELETE /{}/layers/{target}/versions/{}              DeleteLayerVersion
    GET    /{}/tags/{target}                            ListTags
    POST   /{}/tags/{target}                            TagResource
    DELETE /{}/tags/{target}                            UntagResource
    GET    /{}/account-settings                         GetAccountSettings
""")

_APIGATEWAY = _routes("""
    POST   /restapis?mode                               ImportRestApi
    POST   /restapis                                    CreateRestApi
    GET    /restapis                                    GetRestApis
    GET    /restapis/{target}                           GetRestApi
    PUT    /restapis/{target}                           PutRestApi
    PATCH  /restapis/{target}                           UpdateRestApi
    DELETE /restapis/{target}                           DeleteRestApi
    GET    /restapis/{target}/deployments               GetDeployments
    POST   /restapis/{target}/deployments               CreateDeployment
    GET    /restapis/{target}/deployments/{}            GetDeployment
    DELETE /restapis/{target}/deployments/{}            DeleteDeployment
    GET    /restapis/{target}/stages                    GetStages
    POST   /restapis/{target}/stages                    CreateStage
    GET    /restapis/{target}/stages/{}                 GetStage
    PATCH  /restapis/{target}/stages/{}                 UpdateStage
    DELETE /restapis/{target}/stages/{}                 DeleteStage
    GET    /restapis/{target}/stages/{}/exports/{}      GetExport
    GET    /restapis/{target}/resources                 GetResources
    POST   /restapis/{target}/resources/{}              CreateResource
    GET    /restapis/{target}/resources/{}              GetResource
    DELETE /restapis/{target}/resources/{}              DeleteResource
    GET    /restapis/{target}/authorizers               GetAuthorizers
    POST   /restapis/{target}/authorizers               CreateAuthorizer
    DELETE /restapis/{target}/authorizers/{}            DeleteAuthorizer
    GET    /tags/{target}                               GetTags
    PUT    /tags/{target}                               TagResource
    DELETE /tags/{target}                               UntagResource
    POST   /apikeys                                     CreateApiKey
    GET    /apikeys                                     GetApiKeys
    DELETE /apikeys/{target}                            DeleteApiKey
    POST   /usageplans                                  CreateUsagePlan
    GET    /usageplans                                  GetUsagePlans
    DELETE /usageplans/{target}                         DeleteUsagePlan
    POST   /domainnames                                 CreateDomainName
    GET    /domainnames                                 GetDomainNames
    GET    /domainnames/{target}                        GetDomainName
    PATCH  /domainnames/{target}                        UpdateDomainName
    DELETE /domainnames/{target}                        DeleteDomainName
    POST   /domainnames/{target}/basepathmappings       CreateBasePathMapping
    GET    /domainnames/{target}/basepathmappings       GetBasePathMappings
    GET    /domainnames/{target}/basepathmappings/{}    GetBasePathMapping
    PATCH  /domainnames/{target}/basepathmappings/{}    UpdateBasePathMapping
    DELETE /domainnames/{target}/basepathmappings/{}    DeleteBasePathMapping
    POST   /v2/apis                                     CreateApi
    GET    /v2/apis                                     GetApis
    GET    /v2/apis/{target}                            GetApi
    PATCH  /v2/apis/{target}                            UpdateApi
    DELETE /v2/apis/{target}                            DeleteApi
    POST   /v2/apis/{target}/routes                     CreateRoute
    GET    /v2/apis/{target}/routes                     GetRoutes
    PATCH  /v2/apis/{target}/routes/{}                  UpdateRoute
    DELETE /v2/apis/{target}/routes/{}                  DeleteRoute
    POST   /v2/apis/{target}/integrations               CreateIntegration
    GET    /v2/apis/{target}/integrations               GetIntegrations
    PATCH  /v2/apis/{target}/integrations/{}            UpdateIntegration
    DELETE /v2/apis/{target}/integrations/{}            DeleteIntegration
    POST   /v2/apis/{target}/deployments                CreateDeployment
    GET    /v2/apis/{target}/deployments                GetDeployments
    GET    /v2/apis/{target}/deployments/{}             GetDeployment
    DELETE /v2/apis/{target}/deployments/{}             DeleteDeployment
    POST   /v2/apis/{target}/stages                     CreateStage
    GET    /v2/apis/{target}/stages                     GetStages
    GET    /v2/apis/{target}/stages/{}                  GetStage
    PATCH  /v2/apis/{target}/stages/{}                  UpdateStage
    DELETE /v2/apis/{target}/stages/{}                  DeleteStage
    POST   /v2/domainnames                              CreateDomainName
    GET    /v2/domainnames                              GetDomainNames
    GET    /v2/domainnames/{target}                     GetDomainName
    PATCH  /v2/domainnames/{target}                     UpdateDomainName
    DELETE /v2/domainnames/{target}                     DeleteDomainName
    POST   /v2/domainnames/{target}/apimappings         CreateApiMapping
    GET    /v2/domainnames/{target}/apimappings         GetApiMappings
    GET    /v2/domainnames/{target}/apimappings/{}      GetApiMapping
    PATCH  /v2/domainnames/{target}/apimappings/{}      UpdateApiMapping
    DELETE /v2/domainnames/{target}/apimappings/{}      DeleteApiMapping
    GET    /v2/tags/{target}                            GetTags
    POST   /v2/tags/{target}                            TagResource
    DELETE /v2/tags/{target}                            UntagResource
""")

_S3_BUCKET = {
    "list-type": "ListObjectsV2", "versions": "ListObjectVersions", "uploads": "ListMultipartUploads",
    "location": "BucketLocation", "versioning": "BucketVersioning", "tagging": "BucketTagging",
    "policy": "BucketPolicy", "encryption": "BucketEncryption", "lifecycle": "BucketLifecycleConfiguration",
    "notification": "BucketNotificationConfiguration", "publicAccessBlock": "PublicAccessBlock",
    "delete": "DeleteObjects",
}  # fmt: skip
_S3_WHOLE_BUCKET = {"GET": "ListObjects", "PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}
_VERBS = {"GET": "Get", "PUT": "Put", "HEAD": "Head", "DELETE": "Delete", "POST": "Post"}

# Where the name of the thing stands in a body: the first of these fields that is there.
_NAME_FIELDS = ("FunctionName", "RoleName", "UserName", "PolicyArn", "Name", "Rule", "logGroupName", "QueueName")


def named(request: Request) -> Call:
    """Returns a request by its AWS names; one that is not known keeps its method and path as its operation."""
    if request.path.startswith(DATA_PLANE):
        return Call("execute-api", "InvokeApi", request.route.removeprefix(DATA_PLANE).split("/")[0])
    scope = re.search(r"Credential=[^/]+/\d+/([^/]*)/([^/]+)/", request.header("Authorization"))
    region, service = scope.groups() if scope else ("", "s3")
    if target := request.header("X-Amz-Target"):
        return Call(service, target.split(".")[-1], _name_in_json(request), region)
    if service == "s3":
        return Call(service, _s3(request), unquote(request.route.lstrip("/")), region)
    if service in ("lambda", "apigateway"):
        operation, target = _by_path(request, _LAMBDA if service == "lambda" else _APIGATEWAY)
        return Call(service, operation, target or _name_in_json(request), region)
    fields = request.form | request.query
    target = next((fields[name] for name in _NAME_FIELDS if name in fields), "")
    return Call(service, fields.get("Action", f"{request.method} {request.route}"), target, region)


def _by_path(request: Request, routes: list[_Route]) -> tuple[str, str]:
    for route in routes:
        match = route.pattern.match(request.route)
        if match and route.method == request.method and (not route.query or route.query in request.query):
            target = unquote(match.groupdict().get("target") or "")
            return route.operation, target if "/" in target else target.split(":")[-1]
    return f"{request.method} {request.route}", ""


def _name_in_json(request: Request) -> str:
    found = re.search(rb'"(?:%s)"\s*:\s*"([^"]*)"' % "|".join(_NAME_FIELDS).encode(), request.body[-65536:])
    return found.group(1).decode("utf-8", "replace") if found else ""


def _s3(request: Request) -> str:
    query = request.query
    if "x-id" in query:
        return query["x-id"]
    bucket, _, key = request.route.lstrip("/").partition("/")
    verb = _VERBS.get(request.method, request.method)
    if not bucket:
        return "ListBuckets"
    if not key:
        for name, operation in _S3_BUCKET.items():
            if name in query:
                return operation if operation.startswith(("List", "Delete")) else verb + operation
        return _S3_WHOLE_BUCKET.get(request.method, verb + "Bucket")
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "uploadId" in query:
        parts = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
        return parts.get(request.method, "ListParts")
    if "tagging" in query:
        return verb + "ObjectTagging"
    if request.method == "PUT" and request.header("x-amz-copy-source"):
        return "CopyObject"
    return verb + "Object"
