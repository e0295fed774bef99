/**
 * Tables of the service's reference, extracted by a program from its text (sections 1, 2 and 5.3,
 * Appendix A) and not from the .proto files, so that the two can be compared.
 *
 * A line without indent opens a message or an enum; below it, a field is
 * `name number [optional|repeated] type [oneof group]`, a value is `NAME number`.
 */
export const sandboxMessages = `
Sandbox
  sandbox_id 1 string
  spec 2 SandboxSpec
  status 3 SandboxStatus
  source_template_id 4 string
  source_template_revision 5 int64
SandboxSpec
  containers 1 repeated Container
  primary_container 2 string
  volumes 3 repeated SandboxVolume
  services 4 repeated Service
  max_lifetime_seconds 5 int32
  network_ids 6 repeated string
  object_storage_access 7 ObjectStorageAccess
  tags 8 repeated string
  runner_ids 9 repeated string
  network 10 NetworkOptions
  annotations 11 map<string,string>
  init_containers 12 repeated Container
  instance_type 13 string
  mode 14 SandboxMode
  runtime_class 15 string
Container
  name 1 string
  image 2 string
  command 3 string
  args 4 repeated string
  environment_variables 5 map<string,string>
  resources 6 Resources
  files 7 repeated FileMount
  volume_mounts 8 repeated VolumeMount
  secret_stores 9 repeated SecretStoreReference
  working_dir 10 string
  resource_requirements 11 ResourceRequirements
  security_context 12 SecurityContext
  image_pull_credentials 13 ImagePullCredentials
SecurityContext
  run_as_user 1 optional uint32
  run_as_group 2 optional uint32
  privileged 3 optional bool
  allow_privilege_escalation 4 optional bool
  read_only_root_filesystem 5 optional bool
  capabilities_add 6 repeated string
  capabilities_drop 7 repeated string
  seccomp_profile 8 string
PartialContainer
  name 1 string
  image 2 string
  command 3 string
  args 4 repeated string
  environment_variables 5 map<string,string>
  resources 6 Resources
  files 7 repeated FileMount
  volume_mounts 8 repeated VolumeMount
  secret_stores 9 repeated SecretStoreReference
  working_dir 10 string
  resource_requirements 11 ResourceRequirements
  security_context 12 SecurityContext
PartialSandboxSpec
  containers 1 repeated PartialContainer
  primary_container 2 string
  volumes 3 repeated SandboxVolume
  services 4 repeated Service
  max_lifetime_seconds 5 int32
  network_ids 6 repeated string
  object_storage_access 7 ObjectStorageAccess
  tags 8 repeated string
  runner_ids 9 repeated string
  network 10 NetworkOptions
  annotations 11 map<string,string>
  init_containers 12 repeated PartialContainer
  instance_type 13 string
  mode 14 SandboxMode
  runtime_class 15 string
SandboxStatus
  state 1 State
  state_reason 2 string
  create_time 3 google.protobuf.Timestamp
  start_time 4 google.protobuf.Timestamp
  end_time 5 google.protobuf.Timestamp
  services 6 repeated ServiceStatus
  resource_usage 8 ResourceUsage
  exit_code 9 optional int32
  effective_resources 10 Resources
  effective_max_lifetime_seconds 11 int32
  container_statuses 12 repeated ContainerStatus
  runner_id 13 string
  runner_group_id 14 string
  effective_ingress 15 repeated IngressRule
  effective_egress 16 repeated EgressRule
  effective_resource_requirements 17 ResourceRequirements
  attached_volume_ids 18 repeated string
  effective_runtime_class 19 string
ContainerStatus
  name 1 string
  state 2 State
  exit_code 3 int32
  restart_count 4 int32
ServiceStatus
  port 1 int32
  name 2 string
  protocol 3 ServiceProtocol
  visibility 4 Visibility
  endpoint 5 EndpointStatus
  url 6 string
EndpointStatus
  kind 1 EndpointKind
  auth 2 EndpointAuth
  url 3 string
ResourceUsage
  cpu_millicores 1 int64
  memory_mb 2 int64
  gpu_count 3 int64
Service
  port 1 int32
  name 2 string
  protocol 3 ServiceProtocol
  visibility 4 Visibility
  endpoint 5 EndpointSpec
NetworkOptions
  ingress 1 repeated IngressRule
  egress 2 repeated EgressRule
  deny_egress 3 optional bool
  deny_ingress 4 optional bool
EgressRule
  cidr 1 CidrBlock oneof destination
  dns_name 2 string oneof destination
  tenant 3 TenantScope oneof destination
  any 4 bool oneof destination
  selector 6 SelectorBlock oneof destination
  ports 5 repeated PortRange
IngressRule
  cidr 1 CidrBlock oneof source
  tenant 2 TenantScope oneof source
  any 3 bool oneof source
  ports 4 repeated PortRange
Resources
  cpu 1 string
  memory 2 string
  gpu 3 Gpu
ResourceRequirements
  requests 1 Resources
  limits 2 Resources
Gpu
  count 1 int64
  type 2 string oneof selector
  memory_gb 3 int64 oneof selector
EndpointSpec
  kind 1 EndpointKind
  auth 2 EndpointAuth
CidrBlock
  cidr 1 string
  except 2 repeated string
SelectorBlock
  pod_labels 1 map<string,string>
  namespace_labels 2 map<string,string>
PortRange
  protocol 1 string
  port 2 int32
  end_port 3 int32
VolumeMount
  volume 1 string
  mount_path 2 string
  read_only 3 bool
  sub_path 4 string
FileMount
  path 1 string
  content 2 bytes
SandboxVolume
  name 1 string
  scratch 2 ScratchVolume oneof source
  volume_id 3 string oneof source
ScratchVolume
  size 1 string
  medium 2 StorageMedium
  restore_from_snapshot_id 3 string
SecretStoreReference
  store_name 1 string
  secrets 2 repeated SecretMapping
SecretMapping
  path 1 string
  field 2 string
  env_var 3 string
ImagePullCredentials
  registry 1 string
  credentials 2 SecretSource
SecretSource
  store_name 1 string
  path 2 string
  field 3 string
ObjectStorageAccess
  buckets 1 repeated string
  permission 2 ObjectStoragePermission
  object_prefix 3 string
ListSandboxesRequest
  page_size 1 int32
  page_token 2 string
  tags 3 repeated string
  state 4 State
  show_terminated 5 bool
  runner_ids 6 repeated string
  volume_ids 7 repeated string
DeleteSandboxRequest
  sandbox_id 1 string
  grace_period_seconds 2 int32
  snapshot_volumes 3 repeated string
  request_id 4 string
  allow_missing 5 bool
PurgeSandboxesRequest
  tags 1 repeated string
  dry_run 2 bool
  request_id 3 string
  purge_all 4 bool
CreateSandboxRequest
  sandbox 1 Sandbox
  request_id 2 string
CreateSandboxFromTemplateRequest
  template_id 1 string
  overrides 2 PartialSandboxSpec
  request_id 3 string
GetSandboxRequest
  sandbox_id 1 string
ListSandboxesResponse
  sandboxes 1 repeated Sandbox
  next_page_token 2 string
DeleteSandboxResponse
  sandbox 1 Sandbox
  file_system_snapshot_ids 2 repeated string
PurgeSandboxesResponse
  purge_count 1 int32
  failed_sandbox_ids 2 repeated string
  retryable_failed_sandbox_ids 3 repeated string
ExecRequest
  sandbox_id 1 string
  command 2 repeated string
  env 3 map<string,string>
  max_output_bytes 4 int32
  container 5 string
ExecResponse
  stdout 1 bytes
  stderr 2 bytes
  exit_code 3 int32
  stdout_truncated 4 bool
  stderr_truncated 5 bool
  stdout_bytes_produced 6 int64
  stderr_bytes_produced 7 int64
ExecStreamRequest
  init 1 ExecStreamInit oneof message
  stdin 2 bytes oneof message
  resize 3 ExecStreamResize oneof message
  close 4 ExecStreamClose oneof message
ExecStreamInit
  sandbox_id 1 string
  command 2 repeated string
  tty 3 bool
  tty_width 4 uint32
  tty_height 5 uint32
  env 6 map<string,string>
  container 7 string
ExecStreamResponse
  ready 1 ExecStreamReady oneof message
  output 2 ExecStreamOutput oneof message
  exit 3 ExecStreamExit oneof message
  error 4 ExecStreamError oneof message
ExecStreamResize
  width 1 uint32
  height 2 uint32
ExecStreamClose
ExecStreamReady
  ready_time 1 google.protobuf.Timestamp
ExecStreamOutput
  stream 1 ExecStreamOutput.Stream
  data 2 bytes
ExecStreamExit
  exit_code 1 int32
  completed_time 2 google.protobuf.Timestamp
ExecStreamError
  message 1 string
  code 2 string
StreamLogsRequest
  sandbox_id 1 string
  follow 2 bool
  tail_lines 3 int32
  since_time 4 google.protobuf.Timestamp
  container 5 string
  timestamps 6 bool
  resume_log_session_id 7 string
  resume_log_offset 8 uint64
LogEntry
  data 1 bytes
  timestamp 2 google.protobuf.Timestamp
  log_session_id 3 string
  next_log_offset 4 uint64
  error 5 LogStreamError
LogStreamError
  message 1 string
  code 2 string
WriteFileRequest
  sandbox_id 1 string
  path 2 string
  content 3 bytes
  container 4 string
WriteFileResponse
ReadFileRequest
  sandbox_id 1 string
  path 2 string
  container 3 string
ReadFileResponse
  content 1 bytes
FileSystemSnapshot
  file_system_snapshot_id 1 string
  state 2 SnapshotState
  state_reason 3 string
  size_bytes 4 int64
  source_sandbox_id 5 string
  trigger 6 SnapshotTrigger
  create_time 7 google.protobuf.Timestamp
  complete_time 8 google.protobuf.Timestamp
  source_volume_name 9 string
  object_bucket 10 string
  updated_at 11 google.protobuf.Timestamp
  request_id 12 string
CreateFileSystemSnapshotRequest
  sandbox_id 1 string
  request_id 2 string
  scratch_volume_name 3 string
GetFileSystemSnapshotRequest
  file_system_snapshot_id 1 string
ListFileSystemSnapshotsRequest
  page_size 1 int32
  page_token 2 string
  source_sandbox_id 3 string
ListFileSystemSnapshotsResponse
  file_system_snapshots 1 repeated FileSystemSnapshot
  next_page_token 2 string
DeleteFileSystemSnapshotRequest
  file_system_snapshot_id 1 string
  allow_missing 2 bool
`;

export const sandboxEnums = `
ExecStreamOutput.Stream
  STREAM_UNSPECIFIED 0
  STREAM_STDOUT 1
  STREAM_STDERR 2
SandboxMode
  SANDBOX_MODE_UNSPECIFIED 0
  SANDBOX_MODE_SERVERLESS 1
  SANDBOX_MODE_CKS 2
State
  STATE_UNSPECIFIED 0
  STATE_CREATING 1
  STATE_RUNNING 2
  STATE_COMPLETED 3
  STATE_FAILED 4
  STATE_TERMINATING 5
  STATE_TERMINATED 6
  STATE_PENDING 7
  STATE_PAUSED 8
ServiceProtocol
  SERVICE_PROTOCOL_UNSPECIFIED 0
  SERVICE_PROTOCOL_TCP 1
  SERVICE_PROTOCOL_UDP 2
  SERVICE_PROTOCOL_SCTP 3
EndpointKind
  ENDPOINT_KIND_UNSPECIFIED 0
  ENDPOINT_KIND_HTTPS 1
  ENDPOINT_KIND_TLS_PASSTHROUGH 2
EndpointAuth
  ENDPOINT_AUTH_UNSPECIFIED 0
  ENDPOINT_AUTH_OPEN 1
  ENDPOINT_AUTH_TOKEN 2
Visibility
  VISIBILITY_UNSPECIFIED 0
  VISIBILITY_PUBLIC 1
  VISIBILITY_PRIVATE 2
  VISIBILITY_CUSTOM 3
TenantScope
  TENANT_SCOPE_UNSPECIFIED 0
  TENANT_SCOPE_SAME_USER 1
  TENANT_SCOPE_SAME_ORG 2
  TENANT_SCOPE_SANDBOX_NETWORK 3
StorageMedium
  STORAGE_MEDIUM_UNSPECIFIED 0
  STORAGE_MEDIUM_DISK 1
  STORAGE_MEDIUM_MEMORY 2
ObjectStoragePermission
  OBJECT_STORAGE_PERMISSION_UNSPECIFIED 0
  OBJECT_STORAGE_PERMISSION_READ 1
  OBJECT_STORAGE_PERMISSION_READ_WRITE 2
SnapshotState
  SNAPSHOT_STATE_UNSPECIFIED 0
  SNAPSHOT_STATE_CREATING 1
  SNAPSHOT_STATE_READY 2
  SNAPSHOT_STATE_FAILED 3
  SNAPSHOT_STATE_DELETING 4
SnapshotTrigger
  SNAPSHOT_TRIGGER_UNSPECIFIED 0
  SNAPSHOT_TRIGGER_MANUAL 1
  SNAPSHOT_TRIGGER_ON_DELETE 2
`;

/** `name, kind, request, response` */
export const sandboxRpcs = `
CreateSandbox, unary, CreateSandboxRequest, Sandbox
CreateSandboxFromTemplate, unary, CreateSandboxFromTemplateRequest, Sandbox
GetSandbox, unary, GetSandboxRequest, Sandbox
ListSandboxes, unary, ListSandboxesRequest, ListSandboxesResponse
DeleteSandbox, unary, DeleteSandboxRequest, DeleteSandboxResponse
PurgeSandboxes, unary, PurgeSandboxesRequest, PurgeSandboxesResponse
Exec, unary, ExecRequest, ExecResponse
StreamExec, bidi stream, ExecStreamRequest, ExecStreamResponse
StreamLogs, server stream, StreamLogsRequest, LogEntry
WriteFile, unary, WriteFileRequest, WriteFileResponse
ReadFile, unary, ReadFileRequest, ReadFileResponse
CreateFileSystemSnapshot, unary, CreateFileSystemSnapshotRequest, FileSystemSnapshot
GetFileSystemSnapshot, unary, GetFileSystemSnapshotRequest, FileSystemSnapshot
ListFileSystemSnapshots, unary, ListFileSystemSnapshotsRequest, ListFileSystemSnapshotsResponse
DeleteFileSystemSnapshot, unary, DeleteFileSystemSnapshotRequest, FileSystemSnapshot
`;

export const otherMessages = `
ListAvailableRunnersRequest
  runner_group_id 1 string
  gpu_type 2 string
  architecture 3 string
  healthy_only 4 bool
  page_size 5 int32
  page_token 6 string
  view 7 RunnerView
  service_visibility 8 Visibility
ListAvailableRunnersResponse
  runners 1 repeated AvailableRunner
  next_page_token 2 string
GetAvailableRunnerRequest
  runner_id 1 string
  view 2 RunnerView
  organization_id 3 string
AvailableRunner
  runner_id 1 string
  runner_group_id 2 string
  tags 3 repeated string
  healthy 4 bool
  capabilities 5 RunnerCapabilitySummary
  resources 6 RunnerResourceSummary
  connected_at 7 google.protobuf.Timestamp
  is_shared 8 bool
  organization_id 9 string
RunnerCapabilitySummary
  max_cpu_millicores 1 int64
  max_memory_bytes 2 int64
  max_gpu_count 3 int64
  supported_gpu_types 4 repeated string
  supported_architectures 5 repeated string
  supports_privileged 6 bool
  available_storage_classes 7 repeated string
  supported_service_visibilities 8 repeated Visibility
RunnerResourceSummary
  available_cpu_millicores 1 int64
  available_memory_bytes 2 int64
  available_gpu_count 3 int64
  running_sandboxes 4 int32
GetFileSystemSnapshotBucketConfigRequest
UpdateFileSystemSnapshotBucketConfigRequest
  file_system_snapshot_bucket_config 1 FileSystemSnapshotBucketConfig
  update_mask 2 google.protobuf.FieldMask
FileSystemSnapshotBucketConfig
  bucket_name 1 string
  region 2 string
  mode 3 FileSystemSnapshotBucketMode
  effective_bucket_name 4 string
`;

export const otherEnums = `
RunnerView
  RUNNER_VIEW_UNSPECIFIED 0
  RUNNER_VIEW_BASIC 1
  RUNNER_VIEW_FULL 2
FileSystemSnapshotBucketMode
  FILE_SYSTEM_SNAPSHOT_BUCKET_MODE_UNSPECIFIED 0
  FILE_SYSTEM_SNAPSHOT_BUCKET_MODE_CW_MANAGED 1
  FILE_SYSTEM_SNAPSHOT_BUCKET_MODE_BRING_YOUR_OWN 2
`;

export const otherRpcs = `
DiscoveryService
  ListAvailableRunners
  GetAvailableRunner
SettingsService
  GetObjectStorageWifConfig
  UpdateObjectStorageWifConfig
  DeleteObjectStorageWifConfig
  GetFileSystemSnapshotBucketConfig
  UpdateFileSystemSnapshotBucketConfig
  CreateSecretStore
  GetSecretStore
  ListSecretStores
  UpdateSecretStore
  DeleteSecretStore
SandboxTemplateService
  CreateSandboxTemplate
  GetSandboxTemplate
  ListSandboxTemplates
  UpdateSandboxTemplate
  DeleteSandboxTemplate
VolumeService
  CreateVolume
  GetVolume
  ListVolumes
  UpdateVolume
  DeleteVolume
  ValidateVolume
`;

export const reasons = `
CWSANDBOX_SANDBOX_NOT_FOUND
CWSANDBOX_SANDBOX_NOT_RUNNING
CWSANDBOX_FILE_NOT_FOUND
CWSANDBOX_FILE_IS_DIRECTORY
CWSANDBOX_FILE_PERMISSION_DENIED
CWSANDBOX_FILE_IO_FAILED
CWSANDBOX_FILE_TOO_LARGE
CWSANDBOX_FILE_TRUNCATED
CWSANDBOX_COMMAND_TIMEOUT
CWSANDBOX_RUNNER_UNAVAILABLE
CWSANDBOX_BACKEND_UNAVAILABLE
CWSANDBOX_RUNNER_CAPACITY_EXHAUSTED
CWSANDBOX_RUNNER_OVERLOADED
CWSANDBOX_PLACEMENT_REJECTED
CWSANDBOX_PLACEMENT_CONSTRAINT_UNSATISFIED
CWSANDBOX_NO_SUITABLE_RUNNER
CWSANDBOX_SERVERLESS_NOT_ALLOWED
CWSANDBOX_SERVERLESS_DISABLED
CWSANDBOX_SERVERLESS_MISCONFIGURED
CWSANDBOX_INVALID_REQUEST
CWSANDBOX_INVALID_ARGUMENT
CWSANDBOX_NOT_IMPLEMENTED
CWSANDBOX_RESOURCE_CEILING_EXCEEDED
CWSANDBOX_SECRET_STORE_NOT_PROVISIONED
CWSANDBOX_VOLUME_NOT_SNAPSHOTTABLE
CWSANDBOX_VOLUME_IN_USE
CWSANDBOX_RUNNER_NOT_FOUND
CWSANDBOX_PROFILE_NOT_FOUND
CWSANDBOX_AUTH_EXPIRED
CWSANDBOX_FSS_NOT_FOUND
CWSANDBOX_FSS_NOT_READY
CWSANDBOX_FSS_NOT_SUPPORTED
CWSANDBOX_FSS_SIZE_EXCEEDED
CWSANDBOX_FSS_QUOTA_EXCEEDED
CWSANDBOX_FSS_BUCKET_MISMATCH
CWSANDBOX_FSS_BACKEND_THROTTLED
CWSANDBOX_FSS_INFLIGHT_LIMIT
CWSANDBOX_FSS_BUCKET_PROVISIONING
CWSANDBOX_FSS_WAIT_TIMEOUT
CWSANDBOX_FSS_BUCKET_UNAVAILABLE
CWSANDBOX_FSS_RESTORE_FAILED
CWSANDBOX_FSS_CREATE_FAILED
CWSANDBOX_FSS_CREATE_TIMED_OUT
CWSANDBOX_FSS_AUTH_FAILED
CWSANDBOX_FSS_TRANSPORT_FAILED
CWSANDBOX_FSS_CANCELED
`;
