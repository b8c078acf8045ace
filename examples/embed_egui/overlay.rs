//! Draws the heat map from the buffer that the engine's output went into, within egui's own render pass.

use eframe::egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};
use vultus::wgpu;

use crate::explainer::HeatMap;

/// What all frames share.
pub struct OverlayPipeline {
    pipeline: wgpu::RenderPipeline,
    bindings: wgpu::BindGroup,
    look: wgpu::Buffer,
    size: [u32; 2],
}

impl OverlayPipeline {
    pub fn new(window: &RenderState, heat_map: &HeatMap) -> Self {
        let device = &window.device;
        let module = device.create_shader_module(wgpu::include_wgsl!("overlay.wgsl"));
        let blend = Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING);
        let write_mask = wgpu::ColorWrites::ALL;
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("overlay"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..wgpu::PrimitiveState::default()
            },
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("color"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(wgpu::ColorTargetState { format: window.target_format, blend, write_mask })],
            }),
            multiview_mask: None,
            cache: None,
        });
        let look = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("look"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("overlay"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: look.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: heat_map.buffer.as_entire_binding() },
            ],
        });
        OverlayPipeline { pipeline, bindings, look, size: [heat_map.width, heat_map.height] }
    }
}

/// One frame's overlay, to be painted over a rectangle.
pub struct Overlay {
    pub opacity: f32,
}

impl CallbackTrait for Overlay {
    fn prepare(
        &self,
        _: &wgpu::Device,
        queue: &wgpu::Queue,
        _: &ScreenDescriptor,
        _: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(OverlayPipeline { look, size: [width, height], .. }) = resources.get() {
            queue.write_buffer(look, 0, bytemuck::bytes_of(&[*width, *height, self.opacity.to_bits(), 0]));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _: eframe::egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(OverlayPipeline { pipeline, bindings, .. }) = resources.get() {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bindings, &[]);
            pass.draw(0..4, 0..1);
        }
    }
}
