/// <reference types="@webgpu/types" />

/** In shaders of 64 threads whose workgroups are [x, fields, z]: what `main` takes, and a thread's place along x and z. */
export const ALONG =
  '@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32';
export const PLACE = '(group.z * groups.x + group.x) * 64u + lane';

/** Workgroups over two dimensions, where one has no room for so many. */
export function spread(workgroups: number, { limits }: Pick<GPUDevice, 'limits'>): [number, number] {
  const across = Math.min(workgroups, limits.maxComputeWorkgroupsPerDimension);
  return [across, Math.ceil(workgroups / across)];
}

/** Workgroups [x, fields, z] with so many along x and z for each field. */
export function alongFields(workgroups: number, fields: number, device: Pick<GPUDevice, 'limits'>): number[] {
  const [x, z] = spread(workgroups, device);
  return [x, fields, z];
}
